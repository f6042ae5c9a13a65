"""Remembers how members of a structure are trained, so that a seed gives the same networks again.

The choice is measured, and two measurements may differ. Networks trained in stacks of another size
differ by the rounding of their numbers, which training makes larger.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
import torch

from nettuner.models.data.dataset import Dataset, Split, held
from nettuner.models.inputs import shapes
from nettuner.models.learner import Learner, Now
from nettuner.models.source_text import source_text
from nettuner.models.stacks.choice import StackChoice
from nettuner.models.training.device import CPU, named

Chosen = tuple[StackChoice, str | None]

# Counts the changes of what is written.
FORMAT = 2


def remembered(
    folder: Path,
    learner: Learner,
    dataset: Dataset,
    params: Sequence[Now],
    steps: int,
    measure: Callable[[], Chosen],
    device: torch.device = CPU,
) -> Chosen:
    """The choice made before for such members on this machine, or else now.

    Args:
        folder: Folder of choices, a file each; where two processes choose at once, the first one
            that has chosen decides.
        learner: Learner to be trained.
        dataset: Dataset to be trained on.
        params: Hyperparameters of the members; their structure agrees.
        steps: Optimiser steps of one whole training.
        measure: Function that makes the choice.
        device: Device to train on.

    Returns:
        The choice, and the reason why it cannot be stacked, if that is known.
    """
    path = folder / f"{_key(learner, dataset, params, steps, device)}.json"
    if not path.exists():
        _write_first(path, measure())
    told = json.loads(path.read_text(encoding="utf-8"))
    return StackChoice(**told["choice"]), told["reason"]


def _key(
    learner: Learner, dataset: Dataset, params: Sequence[Now], steps: int, device: torch.device
) -> str:
    now = learner.now(params[0])
    kind = type(learner)
    facts = (
        (kind.__module__, kind.__qualname__, source_text(kind)),
        sorted((name, now[name]) for name in learner.structural()),
        (len(params), steps),
        _shapes(held(dataset.train)),
        (torch.__version__, torch.get_num_threads()),
        (platform.node(), platform.processor(), os.cpu_count()),
        (FORMAT, named(device)),
    )
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def _shapes(split: Split) -> object:
    """Shapes of inputs and targets."""
    if isinstance(split.inputs, np.ndarray):
        return split.inputs.shape, split.targets.shape
    return shapes(split.inputs), shapes(split.targets)


def _write_first(path: Path, chosen: Chosen) -> None:
    """Write a file whole, unless it has been written meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=path.parent, suffix=".partial", encoding="utf-8") as file:
        json.dump({"choice": asdict(chosen[0]), "reason": chosen[1]}, file)
        file.flush()
        with suppress(FileExistsError):
            os.link(file.name, path)
