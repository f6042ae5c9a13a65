"""What all parts of the population benchmark share: how large it is, who answers, what is kept."""

from __future__ import annotations

import hashlib
import math
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from measured import measured
from workers import Kept

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CACHE = ROOT / ".nettuner" / "benchmarks"
REQUIREMENTS = HERE / "requirements-population.txt"
ENVIRONMENT = CACHE / "population-opponents"
WORKERS = 2

Study = dict[str, Any]
Run = dict[str, Any]


@dataclass(frozen=True)
class Sizes:
    """How large each part is; the usual values are those of the report."""

    toy_seeds: int = 20
    toy_searches: int = 3
    configurations: int = 64
    repeats: Mapping[str, int] = field(
        default_factory=lambda: {"mlp, digits": 2, "cnn, digits": 2, "cnn, 28 x 28": 1}
    )
    epochs: Mapping[str, int] = field(
        default_factory=lambda: {"mlp, digits": 60, "cnn, digits": 20, "cnn, 28 x 28": 2}
    )
    compared: Mapping[str, int] = field(
        default_factory=lambda: {"mlp, digits": 64, "cnn, digits": 64, "cnn, 28 x 28": 16}
    )
    ray_seeds: int = 5
    ray_members: int = 16
    ray_epochs: int = 40
    ray_interval: int = 2
    cost_members: int = 64
    cost_steps: int = 1000
    cost_repeats: int = 2
    task_seeds: int = 3
    share_of_training: float = 1.0


QUICK = Sizes(
    toy_seeds=2,
    toy_searches=1,
    configurations=8,
    repeats={"mlp, digits": 1, "cnn, digits": 1, "cnn, 28 x 28": 1},
    epochs={"mlp, digits": 4, "cnn, digits": 2, "cnn, 28 x 28": 1},
    compared={"mlp, digits": 8, "cnn, digits": 8, "cnn, 28 x 28": 4},
    ray_seeds=1,
    ray_members=4,
    ray_epochs=4,
    ray_interval=1,
    cost_members=8,
    cost_steps=200,
    cost_repeats=1,
    task_seeds=1,
    share_of_training=0.1,
)


@dataclass
class Part:
    """What a part of the benchmark found.

    Args:
        figures: For the record.
        goals: Each, with the figure that decides it, and whether it is passed.
    """

    figures: dict[str, Any]
    goals: dict[str, bool]


class Bench:
    """Runs jobs that are not kept yet, each in processes of its own, one after another."""

    def __init__(self, sizes: Sizes, kept: Kept, opponents: Path | None) -> None:
        self.sizes = sizes
        self._kept = kept
        self._log = CACHE / "population.log"
        self._pythons = {"tuners": str(opponents)} if opponents else {}
        self._mine = digest(own_sources())
        self._all = digest([*own_sources(), HERE / "tuners.py", REQUIREMENTS])

    def run(self, program: str, name: str, job: Mapping[str, Any], *, seed: int = 0) -> Run:
        """The answer of a program of this folder to a job.

        Args:
            program: `searches`, `in_process` or `tuners`.
            name: Of the job. Those beginning with `timed` are compared with others by time, so
                they run anew together.
            job: What it is asked for.
            seed: Which repetition.
        """
        version = self._all if name.startswith("timed") or program == "tuners" else self._mine
        version = f"{version}-{hashlib.sha256(repr(job).encode()).hexdigest()[:8]}"
        key = (version, program, name, seed)
        if key not in self._kept.runs:
            print(f"  {name}, {program}, {seed} ...", file=sys.stderr, flush=True)
            command = [self._pythons.get(program, sys.executable), str(HERE / f"{program}.py")]
            answer = measured(command, job, self._log)
            about = {"version": version, "optimiser": program, "problem": name, "seed": seed}
            self._kept.add({**about, **answer})
        return self._kept.runs[key]

    def search(self, name: str, study: Study, *, seed: int = 0) -> Run:
        """What came of one whole search: its answer, and seconds and memory."""
        run = self.run("searches", name, {"studies": [study]}, seed=seed)
        found: Run = run["searches"][0]
        return {**found, "seconds": run["seconds"], "peak_mib": run["peak_mib"]}


def own_sources() -> list[Path]:
    """The files that decide what ours does."""
    folders = (ROOT / name for name in ("flows", "tasks", "models"))
    files = [file for folder in folders for file in folder.rglob("*.py")]
    helpers = ("searches", "in_process", "stamped", "toy_learner", "measured")
    return [*files, *(HERE / f"{name}.py" for name in helpers)]


def digest(files: Iterable[Path]) -> str:
    """Of the contents of some files."""
    found = hashlib.sha256()
    for file in sorted(files):
        found.update(file.read_bytes())
    return found.hexdigest()[:12]


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Mean and its standard error; NaN for the error of a single value."""
    if len(values) < 2:
        return values[0], math.nan
    return statistics.mean(values), statistics.stdev(values) / math.sqrt(len(values))
