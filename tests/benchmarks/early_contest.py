"""Who searches the curves, by which process, and which runs are kept."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import early_tables
import environments
from contest import digest
from problem import CACHE, ROOT
from workers import Kept, Key, Run, run_all

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements-early.txt"
OURS = (
    "freeze_thaw",
    "freeze_thaw_per_second",
    "successive_halving",
    "successive_halving_from_1",
    "hyperband",
    "bayesian_in_full",
    "random_in_full",
)
PRUNERS = ("HyperbandPruner", "SuccessiveHalvingPruner", "MedianPruner")
OPTUNA = tuple(
    f"{sampler}+{pruner}"
    for sampler in ("TPE", "GPSampler", "RandomSampler")
    for pruner in PRUNERS
    if sampler != "RandomSampler" or pruner == "SuccessiveHalvingPruner"
)
SEARCHES = (*OURS, *OPTUNA)
# What others are compared with: searches that stop early, and nettuner's that do not.
OPPONENTS = ("bayesian_in_full", "random_in_full", *OPTUNA)
# What a first measurement was of; on tables of many rows alone.
THREE_EACH, AMONG_ROWS = "three_rounds_then_best_3", "freeze_thaw_among_rows"
Job = tuple[str, str, int]


def python() -> Path:
    """The interpreter of the others; its environment is made if it is not there."""
    return environments.made(CACHE / "early", REQUIREMENTS)


def script(search: str) -> str:
    """The program that answers for a search."""
    return "early_opponents.py" if search in OPTUNA else "early_ours.py"


def command(search: str) -> list[str]:
    """The process that answers for a search."""
    return [str(python() if search in OPTUNA else sys.executable), str(HERE / script(search))]


@functools.cache
def own_files() -> frozenset[Path]:
    """The files of the project that the strategies consist of."""
    folders = ROOT / "tasks" / "strategies", ROOT / "models" / "space"
    words = {ROOT / "models" / f"{name}.py" for name in ("curve", "segments", "study")}
    return frozenset(words.union(*(folder.rglob("*.py") for folder in folders)))


@functools.cache
def version(search: str, problem: str) -> str:
    """Of a search and of what it runs on."""
    files = {HERE / script(search), HERE / "early_trace.py"} | early_tables.sources(problem)
    return digest(files | ({REQUIREMENTS} if search in OPTUNA else own_files()))


def key(job: Job) -> Key:
    """Under which the run of a job is kept."""
    return version(*job[:2]), *job


class Contest:
    """Runs that are kept in `.nettuner/benchmarks/early-runs.jsonl`."""

    def __init__(self) -> None:
        os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # of all processes
        self._kept = Kept(CACHE / "early-runs.jsonl")

    def run(self, jobs: Iterable[Job], workers: int) -> None:
        """Run the jobs that are not kept yet, in their order, so many side by side."""
        wanted = list(dict.fromkeys(jobs))
        for problem in dict.fromkeys(problem for _, problem, _ in wanted):
            early_tables.load(problem)  # computes what is to be kept, before the workers want it
        # Versions of ours agree, and so do their commands.
        commands = {key(job)[0]: command(job[0]) for job in wanted}
        run_all(map(key, wanted), commands, self._kept, workers)

    def of(self, search: str, problem: str, seeds: range) -> list[Run]:
        """The runs that are kept."""
        keys = [key((search, problem, seed)) for seed in seeds]
        return [self._kept.runs[each] for each in keys if each in self._kept.runs]
