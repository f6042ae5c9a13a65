"""Tables of learning curves, and the regret of a search that looks its curves up in one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nettuner.models.arrays import Floats
from nettuner.models.space import Space

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
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
LCBENCH_TASKS = (3945, 7593, 34539, 126025, 126029, 146212, 167104, 167149, 167161, 167168, 167181,
                 167184, 167185, 167190, 167200, 167201)  # fmt: skip
LCBENCH_EPOCHS, LCBENCH_ROWS = 52, 1000


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


def lcbench(tasks: Sequence[int] = LCBENCH_TASKS) -> list[Table]:
    """Funnel-shaped networks on OpenML tasks, from a surrogate: 1,000 drawn configurations each.

    The score is the validation cross entropy after each of 52 epochs. Needs onnxruntime.
    """
    import onnxruntime

    folder = DATA / "lcbench_surrogate"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options)
    codes = json.loads((folder / "encoding.json").read_text())["OpenML_task_id"]
    space = Space.model_validate(
        {
            "batch_size": {"distribution": "integer", "low": 16, "high": 512, "log": True},
            "learning_rate": {"distribution": "log-uniform", "low": 1e-4, "high": 0.1},
            "momentum": {"distribution": "uniform", "low": 0.1, "high": 0.99},
            "weight_decay": {"distribution": "uniform", "low": 1e-5, "high": 0.1},
            "num_layers": {"distribution": "integer", "low": 1, "high": 5},
            "max_units": {"distribution": "integer", "low": 64, "high": 1024, "log": True},
            "max_dropout": {"distribution": "uniform", "low": 0, "high": 1},
        }
    )
    rng = np.random.default_rng(0)
    rows = [space.sample(rng) for _ in range(LCBENCH_ROWS)]
    units = np.array([[space[name].to_unit(row[name]) for name in space.names()] for row in rows])
    values = np.array([list(row.values()) for row in rows])
    found = []
    for task in tasks:
        code = np.full((len(rows), 1), codes[str(task)], "int32")
        curves = np.stack(
            [
                session.run(
                    None,
                    {
                        "x_cat": code,
                        "x_cont": np.insert(values, 0, epoch, axis=1).astype("float32"),
                    },
                )[0][:, 2]
                for epoch in range(1, LCBENCH_EPOCHS + 1)
            ],
            axis=1,
        )
        found.append(Table(f"lcbench_{task}", space, rows, units, curves.astype(float)))
    return found
