"""Who runs on the problems, by which process, and which runs are kept."""

from __future__ import annotations

import functools
import hashlib
import os
import sys
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import environments
import families
import variants
from problem import CACHE, ROOT
from regrets import Regrets, curve
from workers import Kept, Key, Run, run_all

HERE = Path(__file__).parent
OURS = "nettuner"
OPPONENTS = ("optuna_gp", "optuna_tpe", "smac", "hebo", "random")
# HEBO needs versions that the others do not run with.
APART = {"hebo": "hebo"}
Job = tuple[str, str, int]


def digest(files: Collection[Path]) -> str:
    """Of the contents of some files, wherever they are."""
    found = sorted(hashlib.sha256(file.read_bytes()).hexdigest() for file in files)
    return hashlib.sha256("".join(found).encode()).hexdigest()[:12]


def own_sources() -> frozenset[Path]:
    """The files of the project that the Bayesian search consists of."""
    import nettuner.tasks.strategies.bayesian.candidates
    import nettuner.tasks.strategies.bayesian.expectation  # noqa: F401 - imported late by the strategy

    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    folders = ((ROOT / "tasks").resolve(), (ROOT / "models").resolve())
    real = {Path(file).resolve() for file in files if file}
    return frozenset(file for file in real if any(folder in file.parents for folder in folders))


OWN_SOURCES = own_sources()  # now, as computing grids imports more


def requirements(opponent: str) -> Path:
    """What an opponent is installed from."""
    return HERE / f"requirements-{APART.get(opponent, 'opponents')}.txt"


def python(opponent: str) -> Path:
    """The interpreter that an opponent runs with; its environment is made if it is not there."""
    return environments.made(CACHE / APART.get(opponent, "opponents"), requirements(opponent))


def command(optimiser: str) -> list[str]:
    """The process that answers for an optimiser."""
    if optimiser in OPPONENTS:
        return [str(python(optimiser)), str(HERE / "opponents.py")]
    return [sys.executable, str(HERE / "ours.py")]


@functools.cache
def files(optimiser: str) -> frozenset[Path]:
    """The files that make its answers what they are."""
    if optimiser in OPPONENTS:
        return frozenset({HERE / "opponents.py", requirements(optimiser)})
    changed = variants.patches(optimiser) or optimiser in variants.SETTINGS
    scripts = ("ours.py", "variants.py") if changed else ("ours.py",)
    return OWN_SOURCES | {HERE / script for script in scripts}


@functools.cache
def version(optimiser: str, family: str) -> str:
    """Of an optimiser and of what it runs on."""
    return digest(files(optimiser) | families.sources(family))


def key(job: Job) -> Key:
    """Under which the run of a job is kept."""
    name = job[0].partition("+")[0]
    return version(name, families.family_of(job[1])), *job


def in_turn(names: Sequence[str]) -> list[str]:
    """The problems of some families, one of each in turn: a part of them has all families."""
    columns = [families.problems_of(name) for name in names]
    rows = range(max(map(len, columns), default=0))
    return [column[row] for row in rows for column in columns if row < len(column)]


class Contest:
    """Runs that are kept in `.nettuner/benchmarks`."""

    def __init__(self) -> None:
        os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # of all processes
        self.kept = Kept(CACHE / "bayesian-runs.jsonl")

    def run(self, jobs: Iterable[Job], workers: int) -> None:
        """Run the jobs that are not kept yet, in their order, so many side by side."""
        wanted = list(dict.fromkeys(jobs))
        for name in dict.fromkeys(problem for _, problem, _ in wanted):
            families.load(name)  # computes what is to be kept, before the workers want it
        commands = {key(job)[0]: command(job[0].partition("+")[0]) for job in wanted}
        run_all(map(key, wanted), commands, self.kept, workers)

    def has(self, job: Job) -> bool:
        """Whether its run is kept."""
        return key(job) in self.kept.runs

    def run_of(self, job: Job) -> Run:
        """The run of a job that was run."""
        return self.kept.runs[key(job)]

    def regrets(self, jobs: Iterable[Job]) -> Regrets:
        """The regrets of jobs that were run."""
        found: dict[tuple[str, str], list[object]] = {}
        load = functools.cache(families.load)
        for job in dict.fromkeys(jobs):
            found.setdefault(job[:2], []).append(curve(load(job[1]), self.run_of(job)))
        return Regrets.of(found)
