"""Learning curves that searches look up: what a configuration scores after each round, and costs.

Three families: tables of text classifiers (TaskSet), tables of our own networks (early_maker.py),
and networks on OpenML tasks by a surrogate (LCBench), where any configuration has a curve.

Runs in the environments of others, too, without nettuner.

Sources: Metz et al. (2020), arXiv:2002.11887; Zimmer, Lindauer & Hutter (2021), arXiv:2006.13799.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from box import Box, extremes
from early_spaces import SPACES, grid
from problem import CACHE, DATA, Dimensions, Params
from problems import lcbench

HERE = Path(__file__).parent
TASKSET = DATA / "taskset_curves"
TASKSET_SPACE = {
    # Named after TaskSet's own prior: the distances of beta1 and beta2 from 1 are log-uniform.
    "one_minus_beta1": (1e-4, 1.0),
    "one_minus_beta2": (1e-6, 1.0),
    "epsilon": (1e-10, 1e3),
    "exponential_decay": (1e-6, 1e-3),
    "l1": (1e-8, 1e1),
    "l2": (1e-8, 1e1),
    "learning_rate": (1e-8, 1e1),
    "linear_decay": (1e-7, 1e-4),
}
EPOCHS = int(lcbench.LAST_EPOCH)
# Epochs that the optimum of a surrogate is searched over.
LOOKED_AT = range(4, EPOCHS + 1, 8)


@dataclass(frozen=True)
class Curve:
    """A training in full.

    Args:
        params: Configuration that was trained.
        score: Score after each round, NaN from where it diverged; shape [rounds].
        seconds: Seconds of each round, NaN where unknown; shape [rounds].
    """

    params: dict[str, Any]
    score: np.ndarray
    seconds: np.ndarray

    def end(self, until: int) -> int:
        """The last round of a training until then: it ends with the first round without a score."""
        bad = np.flatnonzero(~np.isfinite(self.score[:until]))
        return int(bad[0]) + 1 if len(bad) else until


# Gives the curve of a configuration, or of the one like it that is left; None if none is left.
LookUp = Callable[[Params], Curve | None]


class Problem(Protocol):
    """What is searched; `optimum` is the lowest score, `median` that of the median configuration.

    A configuration's score is meant by that: the lowest of its rounds. `configurations` is their
    number, None where there is no end to them.
    """

    name: str
    space: Dimensions
    configurations: int | None
    rounds: int
    optimum: float
    median: float

    def look_up(self) -> LookUp:
        """A look-up for one search."""
        ...


def regret(problem: Problem, score: float) -> float:
    """0 for the optimum, 1 for the median."""
    return max((score - problem.optimum) / (problem.median - problem.optimum), 0.0)


class Table:
    """Curves of many configurations.

    A configuration that is none of the rows is answered with the nearest one, and a row once in a
    search: everybody trains the same ones, and nobody trains one twice.

    Args:
        name: Name of the problem.
        space: Search space, of dimensions on a logarithmic scale and ordered choices.
        rows: Configurations.
        score: Scores, shape [n, rounds].
        seconds: Seconds of a round of each, shape [n].
    """

    def __init__(
        self,
        name: str,
        space: Dimensions,
        rows: list[dict[str, Any]],
        score: np.ndarray,
        seconds: np.ndarray,
    ) -> None:
        self.name, self.space, self.rows = name, space, rows
        self._score, self._seconds = score, seconds
        self._places = np.array([self._place(row) for row in rows])
        self.configurations: int | None = len(rows)
        self.rounds = score.shape[1]
        lowest = np.where(np.isfinite(score), score, np.inf).min(axis=1)
        self.optimum, self.median = float(lowest.min()), float(np.median(lowest))

    def _place(self, params: Params) -> list[float]:
        return [unit(dimension, params[name]) for name, dimension in self.space.items()]

    def look_up(self) -> LookUp:
        """Answers with the nearest row that is left."""
        far = np.zeros(len(self.rows))

        def nearest(params: Params) -> Curve | None:
            apart = ((self._places - self._place(params)) ** 2).sum(axis=1) + far
            row = int(np.argmin(apart))
            if not np.isfinite(apart[row]):
                return None
            far[row] = np.inf
            seconds = np.full(self.rounds, self._seconds[row])
            return Curve(self.rows[row], self._score[row], seconds)

        return nearest


def unit(dimension: Mapping[str, Any], value: Any) -> float:
    """A value's place from 0 to 1."""
    if "values" in dimension:
        return float(dimension["values"].index(value) / (len(dimension["values"]) - 1))
    low, high = dimension["low"], dimension["high"]
    return float(np.log(value / low) / np.log(high / low))


def taskset(name: str) -> Table:
    """A text classifier under Adam: 1,000 configurations, 50 rounds of 200 steps.

    The distributions are those that the configurations were drawn from.
    """
    with np.load(TASKSET / f"{name}.npz") as data:
        columns = dict(zip(data["names"].tolist(), data["hyperparameters"].T, strict=True))
        score = data["valid"].astype(float)[:, 1:]  # the first is before any training
    columns["one_minus_beta1"] = 1 - columns.pop("beta1")
    columns["one_minus_beta2"] = 1 - columns.pop("beta2")
    low, high = np.array(list(TASKSET_SPACE.values())).T
    values = np.clip(np.stack([columns[each] for each in TASKSET_SPACE], axis=1), low, high)
    rows = [dict(zip(TASKSET_SPACE, row, strict=True)) for row in values.tolist()]
    space: Dimensions = {
        each: {"distribution": "log-uniform", "low": bounds[0], "high": bounds[1]}
        for each, bounds in TASKSET_SPACE.items()
    }
    return Table(name, space, rows, score, np.full(len(rows), np.nan))


def own(name: str) -> Table:
    """Our own networks on built-in data: 500 configurations, 50 epochs."""
    with np.load(HERE / "curves" / f"{name}.npz") as data:
        score, seconds = data["score"].astype(float), data["seconds"].astype(float)
    return Table(f"own_{name}", SPACES[name], grid(SPACES[name]), score, seconds)


class Surrogate:
    """A funnel-shaped network on an OpenML task: validation cross entropy after each epoch."""

    def __init__(self, task: int) -> None:
        self._task = task
        self.name, self.space, self.rounds = f"lcbench_{task}", lcbench.SPACE, EPOCHS
        self.configurations = None
        kept = CACHE / f"lcbench_{task}_curves.json"
        if not kept.exists():
            kept.write_text(json.dumps(extremes(Box(self.space), self._lowest)))
        self.optimum, self.median = json.loads(kept.read_text())

    def _lowest(self, rows: np.ndarray) -> np.ndarray:
        after = [lcbench.losses(self._task, "cross_entropy", rows, epoch) for epoch in LOOKED_AT]
        return np.min(after, axis=0)

    def _of(self, output: int, values: list[float]) -> np.ndarray:
        rows = [[epoch, *values] for epoch in range(1, EPOCHS + 1)]
        asked = {"task": self._task, "output": output, "rows": rows}
        return np.array(lcbench.surrogate().ask(json.dumps(asked))["values"])

    def look_up(self) -> LookUp:
        """Answers for every configuration."""

        def curve(params: Params) -> Curve:
            values = [float(params[name]) for name in self.space]
            so_far = self._of(0, values)
            seconds = np.maximum(np.diff(so_far, prepend=0.0), 1e-3)
            return Curve(dict(params), self._of(2, values), seconds)

        return curve


def names(family: str) -> list[str]:
    """The problems of a family; none where its data are not there."""
    if family == "taskset":
        return sorted(file.stem for file in TASKSET.glob("*.npz"))
    if family == "own":
        return [f"own_{name}" for name in SPACES if (HERE / "curves" / f"{name}.npz").exists()]
    return [f"lcbench_{task}" for task in lcbench.TASKS] if lcbench.NEEDS.is_dir() else []


FAMILIES = ("taskset", "own", "lcbench")


def family_of(name: str) -> str:
    """The family of a problem."""
    return next((family for family in FAMILIES[1:] if name.startswith(family)), FAMILIES[0])


@functools.cache
def load(name: str) -> Problem:
    """The problem of this name."""
    family, _, own_name = name.partition("_")
    if family == "own":
        return own(own_name)
    return Surrogate(int(own_name)) if family == "lcbench" else taskset(name)


def sources(name: str) -> set[Path]:
    """The files that make a problem what it is."""
    found = {HERE / "early_tables.py"}
    if name.startswith("own"):
        return found | {HERE / "early_spaces.py", HERE / "curves" / f"{name[4:]}.npz"}
    if name.startswith("lcbench"):
        return found | {HERE / "problems" / "lcbench.py", lcbench.REQUIREMENTS}
    return found
