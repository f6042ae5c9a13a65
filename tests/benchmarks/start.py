"""How long a search takes from the start of its command, beside other tuners.

Run: make bench-start      (about an hour on two cores; alone, as it measures time)
     python tests/benchmarks/start.py 1      (one repetition instead of five)

Everything is timed in turn in every repetition; a ratio is the median over the repetitions of what
two commands of one repetition took. Optuna and Ray Tune run in an environment of their own, made
the first time.

Prints its table, writes results/start.json beside this file, and exits with status 1 if a goal is
not reached.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import environments
import records
from start_timings import CONFIGURATIONS, TRIALS, Timings

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements-start.txt"
CACHE = HERE.parents[1] / ".nettuner" / "benchmarks"
ENVIRONMENT = CACHE / "start-opponents"
PACKAGES = ("torch", "prefect", "mlflow")
# What recording a trial may cost [ms], and how many times that among many trials: flat, but for
# what two measurements of the same differ.
RECORDING_MS = 8.0
RECORDING_GROWTH = 1.2


@dataclass(frozen=True)
class Row:
    """A line of the table: two timings, compared.

    Args:
        what: In words.
        ours: Name of the timing.
        against: Name of the timing that it is compared with.
        goal: The largest ratio, or with `speed` the smallest; None where there is none.
        clock: Which seconds are compared.
        speed: Whether the ratio is of configurations per minute, instead of seconds.
    """

    what: str
    ours: str
    against: str
    goal: float | None = None
    clock: Literal["wall", "cpu"] = "wall"
    speed: bool = False


WINE = f"{TRIALS} trials of wine"
SAME = f"{CONFIGURATIONS} networks of one structure"
ROWS = (
    Row(f"{WINE}, servers not running", "random, stopped", "optuna", 1.0),
    Row(f"{WINE}, servers running", "random, running", "optuna", 0.6),
    Row(f"{WINE}, in a fresh home", "fresh home", "optuna", 1.3),
    Row(f"{WINE}, Bayesian, servers running", "bayesian, running", "optuna tpe", 0.7),
    Row(f"{SAME}, servers not running", "structure, stopped", "optuna structure", 2.0, speed=True),
    Row(f"{SAME}, servers running", "structure, running", "optuna structure", 2.0, speed=True),
    Row("nettuner check", "check", "import torch", 1.0, "cpu"),
    Row("nettuner trials", "trials", "import torch", 1.0, "cpu"),
    Row("make demo, installed", "demo", "import torch", 20.0),
    Row(f"{WINE}, right after the first search", "random, at once", "optuna"),
    Row(f"Ray Tune, {WINE}", "ray", "optuna"),
    Row(f"Optuna with its MLflow callback, {WINE}", "optuna mlflow", "optuna"),
)


@dataclass(frozen=True)
class Found:
    """What a row is; `ratio` and `seconds` are None where it could not be measured."""

    what: str
    seconds: float | None
    ratio: float | None
    unit: str
    goal: float | None
    passed: bool | None
    missing: str | None = None


def found(row: Row, timings: Timings, no_opponents: str | None) -> Found:
    """What was measured for a row; one of a command that failed has no ratio."""
    unit = f"x {row.against}" + (" (CPU)" if row.clock == "cpu" else "")
    unit = f"{unit} (configurations a minute)" if row.speed else unit
    ours = [getattr(one, row.clock) for one in timings.taken[row.ours]]
    theirs = [getattr(one, row.clock) for one in timings.taken[row.against]]
    seconds = statistics.median(ours) if ours else None
    failed = timings.failed.get(row.ours) or timings.failed.get(row.against)
    if failed or not ours or not theirs:
        return Found(row.what, seconds, None, unit, row.goal, None, failed or no_opponents)
    pairs = zip(ours, theirs, strict=True)
    ratio = statistics.median(b / a if row.speed else a / b for a, b in pairs)
    passed = None if row.goal is None else ratio >= row.goal if row.speed else ratio <= row.goal
    return Found(row.what, seconds, ratio, unit, row.goal, passed)


def recording() -> list[Found]:
    """What recording a trial costs among few and among many."""
    few, many = (used for _, used, _, _ in records.costs())
    measures = (
        (f"recording one of {records.TRIALS[0]} trials", few, "ms of CPU", RECORDING_MS),
        (f"recording one of {records.TRIALS[1]} trials", many, "ms of CPU", RECORDING_MS),
        ("recording, the latter against the former", many / few, "x", RECORDING_GROWTH),
    )
    return [
        Found(what, None, value, unit, goal, value <= goal) for what, value, unit, goal in measures
    ]


def opponents() -> tuple[Path | None, str | None]:
    """An interpreter with Optuna and Ray, or why there is none."""
    try:
        return environments.made(ENVIRONMENT, REQUIREMENTS), None
    except subprocess.CalledProcessError as error:
        return None, f"{REQUIREMENTS.name} could not be installed (status {error.returncode})"


def table(rows: Sequence[Found]) -> None:
    """Print what was found."""
    print(f"\n{'':<58}{'seconds':>9}{'ratio':>8}{'goal':>7}")
    for row in rows:
        seconds = "" if row.seconds is None else f"{row.seconds:.2f}"
        ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
        goal = "" if row.goal is None else f"{row.goal:g}"
        verdict = {True: "passed", False: "MISSED", None: ""}[row.passed]
        print(
            f"{row.what:<58}{seconds:>9}{ratio:>8}{goal:>7}  {verdict:<7} {row.missing or row.unit}"
        )


def main() -> int:
    """Measure, print, write, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("repetitions", type=int, nargs="?", default=5)
    repetitions = parser.parse_args().repetitions
    CACHE.mkdir(parents=True, exist_ok=True)
    python, no_opponents = opponents()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        timings = Timings(Path(name).resolve(), CACHE / "start.log", python)
        try:
            timings.warm()
            for number in range(repetitions):
                print(f"repetition {number + 1} of {repetitions}", flush=True)
                timings.repeat()
        finally:
            timings.down(timings.home)
        rows = [found(row, timings, no_opponents) for row in ROWS] + recording()
    table(rows)
    record = {
        "rows": [asdict(row) for row in rows],
        "taken": {name: [asdict(one) for one in all_] for name, all_ in timings.taken.items()},
        "repetitions": repetitions,
        "date": datetime.now(UTC).date().isoformat(),
        "opponents": REQUIREMENTS.read_text(encoding="utf-8").splitlines()[1:],
        "versions": {package: version(package) for package in PACKAGES},
        "python": platform.python_version(),
        "cores": os.cpu_count(),
    }
    text = json.dumps(record, indent=2) + "\n"
    (HERE / "results" / "start.json").write_text(text, encoding="utf-8")
    return int(any(row.goal is not None and not row.passed for row in rows))


if __name__ == "__main__":
    sys.exit(main())
