"""Evaluates the best trial of a search on the test rows, once, and exports it for serving."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from nettuner.models import learners
from nettuner.models.data.dataset import EXAMPLES
from nettuner.models.data.load import load
from nettuner.models.inputs import Inputs, called, each
from nettuner.models.learner import Learner
from nettuner.models.study import Study
from nettuner.models.training import checkpoint
from nettuner.models.training.answered import answered
from nettuner.models.training.batches import readable
from nettuner.models.training.loop import measure, prepared
from nettuner.models.training.metrics import asked_for
from nettuner.models.training.winner import Winner

# Inputs without names are served under this word and their place.
PLACE = "input_"


def examine(study: Study, params: Mapping[str, Any], state: Path, folder: Path) -> Winner:
    """Evaluate a checkpoint on the test rows and export its network into `folder`."""
    with learners.beside(study.learner):
        return _examined(study, params, state, folder)


def _examined(study: Study, params: Mapping[str, Any], state: Path, folder: Path) -> Winner:
    assert study.data is not None
    dataset = load(study.data)
    found = learners.find(study.learner)
    assert isinstance(found, type)
    assert issubclass(found, Learner)
    learner = prepared(found, dataset)
    networks = learner.networks(params)
    checkpoint.load_to_answer(state, networks)
    metrics: Mapping[str, float] = {}
    if dataset.test is not None:
        further = asked_for(study, learner)
        metrics = measure(learner, networks, readable(dataset.test), "test", further=further)
    told = answered(learner, networks, dataset)
    path: Path | None = folder / "network.pt2"
    why_not = None
    own = learner.requests(networks, EXAMPLES)
    inputs = learner.data.sample(2)[0] if own is None else own
    predictor = learner.predictor(networks)
    try:
        export(predictor, inputs, folder / "network.pt2")
    except Exception as error:
        # A user's network that torch.export cannot trace must not cost the result.
        path, why_not = None, ": ".join([type(error).__name__, *str(error).splitlines()[:1]])
    if own is None and dataset.preprocessing is not None:
        fitted = dataset.preprocessing.to_json()
        return Winner(metrics, path, why_not, fitted, dataset.example, answered=told)
    if path is None:
        return Winner(metrics, None, why_not, None, None, answered=told)
    with torch.no_grad():
        answers = called(predictor, inputs)
    return Winner(metrics, path, None, None, _as_arrays(inputs), answers.numpy(), told)


def _as_arrays(inputs: Inputs) -> Any:
    """Inputs as a served model receives them: an array, or arrays by name."""
    if isinstance(inputs, tuple):
        inputs = {f"{PLACE}{place}": part for place, part in enumerate(inputs)}
    return each(lambda part: part.numpy(), inputs)


def export(network: torch.nn.Module, inputs: Inputs, path: Path) -> None:
    """Write the network as a program that runs without its source, for any batch size.

    Args:
        network: Network from a batch of inputs to a batch of outputs.
        inputs: Two or more example inputs; they fix the dtype and shape of the program's inputs.
        path: Path of the file to write.
    """
    network.eval()
    batch = torch.export.Dim("batch", min=1)
    named = inputs if isinstance(inputs, Mapping) else {}
    by_place = () if named else inputs if isinstance(inputs, tuple) else (inputs,)
    free = each(lambda _: {0: batch}, named or by_place)
    program = torch.export.export(network, by_place, dict(named), dynamic_shapes=free)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.export.save(program, path)
