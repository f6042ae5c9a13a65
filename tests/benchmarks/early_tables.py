"""Tables of learning curves, and the regret of a search that looks its curves up in one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from problem import DATA
from problems import lcbench as surrogate

from nettuner.models.arrays import Floats
from nettuner.models.space import Space

# Segments of a search: the configuration, and the rounds from (exclusive) and to which it trained.
Segment = tuple[int, int, int]

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
LCBENCH_ROWS = 1000


@dataclass(frozen=True)
class Table:
    """Curves of many configurations.

    Args:
        name: Name of the problem.
        space: Search space.
        rows: Configurations.
        units: Their quantiles, shape [n, dimensions].
        curves: Score of each after each round, NaN from where it diverged; shape [n, rounds].
    """

    name: str
    space: Space
    rows: list[dict[str, Any]]
    units: Floats
    curves: Floats

    @property
    def rounds(self) -> int:
        """Rounds of a whole training."""
        return self.curves.shape[1]

    def regret(self, segments: Iterable[Segment], costs: Sequence[int]) -> list[float]:
        """Regret of the lowest score seen when so many rounds were trained.

        0 is the lowest of the table, 1 the lowest of the median configuration.
        """
        lowest = np.where(np.isfinite(self.curves), self.curves, np.inf).min(axis=1)
        optimum, median = lowest.min(), float(np.median(lowest))
        seen = np.concatenate([self.curves[row, start:end] for row, start, end in segments])
        best = np.minimum.accumulate(np.where(np.isfinite(seen), seen, np.inf))
        return [float((best[min(c, len(best)) - 1] - optimum) / (median - optimum)) for c in costs]

    def end(self, row: int, start: int, until: int) -> int:
        """Where a segment really ends: after its first round without a score."""
        bad = np.flatnonzero(~np.isfinite(self.curves[row, start:until]))
        return start + int(bad[0]) + 1 if len(bad) else until

    def score(self, row: int, round_: int) -> float:
        """The score after a round, infinite where it diverged before."""
        curve = self.curves[row, :round_]
        return float(curve[-1]) if np.isfinite(curve).all() else np.inf


def taskset() -> list[Table]:
    """Six text classifiers under Adam, 1,000 configurations and 50 rounds each.

    The distributions are those that the configurations were drawn from.
    """
    found = []
    space = Space.model_validate(
        {
            name: {"distribution": "log-uniform", "low": low, "high": high}
            for name, (low, high) in TASKSET_SPACE.items()
        }
    )
    for file in sorted((DATA / "taskset_curves").glob("*.npz")):
        with np.load(file) as data:
            columns = dict(zip(data["names"].tolist(), data["hyperparameters"].T, strict=True))
            curves = data["valid"].astype(float)[:, 1:]  # the first is before any training
        columns["one_minus_beta1"] = 1 - columns.pop("beta1")
        columns["one_minus_beta2"] = 1 - columns.pop("beta2")
        low, high = np.array(list(TASKSET_SPACE.values())).T
        values = np.clip(np.stack([columns[name] for name in TASKSET_SPACE], axis=1), low, high)
        rows = [dict(zip(TASKSET_SPACE, row, strict=True)) for row in values.tolist()]
        units = np.log(values / low) / np.log(high / low)
        found.append(Table(file.stem, space, rows, units, curves))
    return found


def lcbench() -> list[Table]:
    """Funnel-shaped networks on OpenML tasks, from a surrogate: 1,000 drawn configurations each.

    The score is the validation cross entropy after each epoch.
    """
    space = Space.model_validate(surrogate.SPACE)
    rng = np.random.default_rng(0)
    rows = [space.sample(rng) for _ in range(LCBENCH_ROWS)]
    units = np.array([[space[name].to_unit(row[name]) for name in space.names()] for row in rows])
    values = np.array([[row[name] for name in surrogate.SPACE] for row in rows])
    epochs = range(1, int(surrogate.LAST_EPOCH) + 1)
    found = []
    for task in surrogate.TASKS:
        after = [surrogate.losses(task, "cross_entropy", values, epoch) for epoch in epochs]
        found.append(Table(f"lcbench_{task}", space, rows, units, np.stack(after, axis=1)))
    return found
