"""Evaluates the best trial of a search on the test rows, once, and exports it for serving."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from nettuner.models import learners
from nettuner.models.data.dataset import EXAMPLES
from nettuner.models.data.load import load
from nettuner.models.learner import Learner
from nettuner.models.study import Study
from nettuner.models.training import checkpoint
from nettuner.models.training.loop import measure, prepared, tensors
from nettuner.models.training.winner import Winner


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
    checkpoint.load(state, networks, {})
    metrics = measure(learner, networks, tensors(dataset.test), "test")
    path: Path | None = folder / "network.pt2"
    why_not = None
    own = learner.requests(networks, EXAMPLES)
    inputs = learner.data.zeros(2)[0] if own is None else own
    try:
        export(learner.predictor(networks), inputs, folder / "network.pt2")
    except Exception as error:
        # A user's network that torch.export cannot trace must not cost the result.
        path, why_not = None, ": ".join([type(error).__name__, *str(error).splitlines()[:1]])
    if own is not None:
        with torch.no_grad():
            answers = learner.predictor(networks)(own)
        return Winner(metrics, path, why_not, None, own.numpy(), answers.numpy())
    return Winner(metrics, path, why_not, dataset.preprocessing.to_json(), dataset.example)


def export(network: torch.nn.Module, example: torch.Tensor, path: Path) -> None:
    """Write the network as a program that runs without its source, for any batch size.

    Args:
        network: Network from a batch of inputs to a batch of outputs.
        example: Two or more example inputs; they fix the dtype and shape of the program's inputs.
        path: Path of the file to write.
    """
    network.eval()
    program = torch.export.export(
        network, (example,), dynamic_shapes=({0: torch.export.Dim("batch", min=1)},)
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.export.save(program, path)
