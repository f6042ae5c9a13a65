"""Grids of networks that nettuner itself trains in stacks, on data that come with it.

Each grid is computed by the first process that has nettuner, in a few minutes, and kept in
`.nettuner`. All networks of a grid start from one seed. Searches see the validation loss as it is;
regret is judged on its logarithm.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from problem import CACHE, Problem
from tables import of_grid

# The loss of a network that diverged, and the largest of one that did not.
WORST = 50.0


@dataclass(frozen=True)
class Grid:
    """Networks of one learner.

    Args:
        learner: Name of the learner.
        data: Name of the data that come with nettuner.
        epochs: Epochs that each network is trained for.
        structural: Values of the hyperparameters that fix the program of a stack.
        live: Values of those that members of a stack differ in.
        given: Hyperparameters that are the same in the whole grid.
    """

    learner: str
    data: str
    epochs: int
    structural: dict[str, list[Any]]
    live: dict[str, list[Any]]
    given: dict[str, Any]

    @property
    def axes(self) -> dict[str, list[Any]]:
        """All of them."""
        return self.structural | self.live


def rates(low: float, high: float, count: int) -> list[float]:
    """Learning rates, evenly spread on a logarithmic scale."""
    return [float(f"{rate:.2g}") for rate in np.geomspace(low, high, count)]


GRIDS = {
    "mlp_digits": Grid(
        "mlp",
        "digits",
        8,
        {"hidden": [4, 16, 64], "activation": ["relu", "tanh", "silu"], "batch_size": [16, 64]},
        {
            "learning_rate": rates(1e-3, 1.0, 9),
            "momentum": [0.0, 0.5, 0.9, 0.98],
            "weight_decay": [1e-6, 1e-3, 1e-2, 1e-1],
        },
        {"optimizer": "sgd"},
    ),
    "mlp_diabetes": Grid(
        "mlp",
        "diabetes",
        20,
        {"hidden": [4, 16, 64], "depth": [1, 2, 3], "optimizer": ["sgd", "adam", "rmsprop"]},
        {
            "learning_rate": rates(1e-4, 0.3, 8),
            "weight_decay": [1e-6, 1e-3, 1e-2, 1e-1],
            "dropout": [0.0, 0.1, 0.3, 0.6],
        },
        {"batch_size": 32},
    ),
    "cnn_digits": Grid(
        "cnn",
        "digits",
        3,
        {"channels": [2, 4, 8], "kernel": [1, 3, 5], "hidden": [8, 32]},
        {
            "learning_rate": rates(1e-4, 0.1, 8),
            "dropout": [0.0, 0.1, 0.3, 0.6],
            "label_smoothing": [0.0, 0.05, 0.2],
        },
        {"batch_size": 64},
    ),
}


def combinations(axes: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """All points of a grid, the last axis first."""
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def trained(grid: Grid) -> np.ndarray:
    """Validation losses of all networks of a grid, in the shape of its axes."""
    import torch

    from nettuner.models import learners
    from nettuner.models.data.load import load
    from nettuner.models.data.sources.builtin import Builtin
    from nettuner.models.training.loop import prepared

    torch.set_num_threads(1)
    dataset = load(Builtin(name=grid.data))
    learner = prepared(learners.find(grid.learner), dataset)
    rows = []
    for structure in combinations(grid.structural):
        params = [{**grid.given, **structure, **live} for live in combinations(grid.live)]
        rows.append(stacked(learner, dataset, params, grid.epochs))
    return np.array(rows).reshape([len(values) for values in grid.axes.values()])


def stacked(learner: Any, dataset: Any, params: list[dict[str, Any]], epochs: int) -> list[float]:
    """Validation losses of networks of one structure, trained together."""
    from nettuner.models.stacks.stack import Programs, Stack
    from nettuner.models.stacks.training import fit_stack
    from nettuner.models.study import Length

    seeds = [(0,)] * len(params)
    stack = Stack(learner, params, seeds, Programs())
    *_, (_, found) = fit_stack(stack, dataset, Length(epochs))
    ends = [each["val_loss"] if isinstance(each, dict) else math.inf for each in found]
    return [min(end, WORST) if math.isfinite(end) else WORST for end in ends]


def of_networks(name: str) -> Problem:
    """A grid whose losses are kept, or are computed now."""
    grid = GRIDS[name]
    file = CACHE / f"networks_{name}.npz"
    if not file.exists():
        print(f"training the networks of {name} ...", file=sys.stderr, flush=True)
        CACHE.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(file, losses=trained(grid))
    with np.load(file) as kept:
        return of_grid(f"networks_{name}", grid.axes, kept["losses"], np.log)


PROBLEMS: dict[str, Callable[[], Problem]] = {
    f"networks_{name}": lambda name=name: of_networks(name) for name in GRIDS
}
