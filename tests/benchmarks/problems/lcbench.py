"""Funnel-shaped networks on tasks of OpenML, by a surrogate of their learning curves.

The last epoch of the tasks that are meant for tuning; every second one is judged by accuracy, the
others by cross entropy. The surrogate runs in an environment of its own, for nettuner and for
others alike. Its optimum is searched for once and kept.

Sources: Zimmer, Lindauer & Hutter, Auto-PyTorch Tabular (2021), arXiv:2006.13799; Pfisterer et
al., YAHPO Gym (2022), arXiv:2109.03670.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path

import environments
import numpy as np
from box import Box, extremes
from problem import CACHE, DATA, Dimensions, Params, Problem
from workers import Answering

HERE = Path(__file__).parents[1]
NEEDS = DATA / "lcbench_surrogate"
REQUIREMENTS = HERE / "requirements-surrogate.txt"
TASKS = (
    3945, 7593, 34539, 126025, 126029, 146212, 167104, 167149, 167161, 167168, 167181, 167184,
    167185, 167190, 167200, 167201,
)  # fmt: skip
LAST_EPOCH = 52.0
# The surrogate's output, and the sign that makes it a loss.
METRICS = {"accuracy": (1, -1.0), "cross_entropy": (2, 1.0)}
# In the order of the surrogate's inputs, after the epoch.
SPACE: Dimensions = {
    "batch_size": {"distribution": "integer", "low": 16, "high": 512, "log": True},
    "learning_rate": {"distribution": "log-uniform", "low": 1e-4, "high": 0.1},
    "momentum": {"distribution": "uniform", "low": 0.1, "high": 0.99},
    "weight_decay": {"distribution": "uniform", "low": 1e-5, "high": 0.1},
    "num_layers": {"distribution": "integer", "low": 1, "high": 5},
    "max_units": {"distribution": "integer", "low": 64, "high": 1024, "log": True},
    "max_dropout": {"distribution": "uniform", "low": 0.0, "high": 1.0},
}


def python() -> Path:
    """The interpreter that the surrogate runs with."""
    return environments.made(CACHE / "surrogate", REQUIREMENTS)


@functools.cache
def surrogate() -> Answering:
    """The surrogate's process."""
    return Answering([str(python()), str(HERE / "surrogate.py"), str(NEEDS)])


def losses(task: int, metric: str, rows: np.ndarray, epoch: float = LAST_EPOCH) -> np.ndarray:
    """Losses of configurations, shape [n, dimensions], after an epoch."""
    output, sign = METRICS[metric]
    inputs = [[epoch, *row] for row in rows.tolist()]
    asked = {"task": task, "output": output, "rows": inputs}
    return sign * np.array(surrogate().ask(json.dumps(asked))["values"])


def of_task(task: int, metric: str) -> Problem:
    """One metric of one task."""
    name = f"lcbench_{task}_{metric}"
    kept = CACHE / f"{name}.json"
    if not kept.exists():
        found = extremes(Box(SPACE), lambda rows: losses(task, metric, rows))
        kept.write_text(json.dumps(found))
    optimum, median = json.loads(kept.read_text())

    def loss(params: Params) -> float:
        return float(losses(task, metric, np.array([[params[each] for each in SPACE]]))[0])

    return Problem(name, SPACE, loss, optimum, median)


PROBLEMS: dict[str, Callable[[], Problem]] = {
    f"lcbench_{task}_{metric}": lambda task=task, metric=metric: of_task(task, metric)
    for place, task in enumerate(TASKS)
    for metric in (list(METRICS)[place % 2],)
}
