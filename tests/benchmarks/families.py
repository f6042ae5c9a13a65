"""The families of problems that searches are compared on: the modules of the folder `problems`.

A module has `PROBLEMS`, functions by name; one that needs data from outside of the project has
`NEEDS`, their folder.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from problem import Problem

HERE = Path(__file__).parent
NOISE = "noise"
SYNTHETIC = "synthetic"
NAMES = tuple(sorted(file.stem for file in (HERE / "problems").glob("*.py")))
# Real networks weigh more: they are what a tuner is for. Noise is judged by itself.
WEIGHTS = {name: 1.0 if name == SYNTHETIC else 2.0 for name in NAMES if name != NOISE}


def module_of(family: str) -> ModuleType:
    """The module of a family."""
    return importlib.import_module(f"problems.{family}")


def available(family: str) -> bool:
    """Whether its data are there."""
    needs = getattr(module_of(family), "NEEDS", None)
    return needs is None or needs.is_dir()


def problems_of(family: str) -> list[str]:
    """The names of its problems."""
    return list(module_of(family).PROBLEMS)


@functools.cache
def family_of(problem: str) -> str:
    """The family of the problem of this name."""
    return next(name for name in NAMES if problem in module_of(name).PROBLEMS)


def load(problem: str) -> Problem:
    """The problem of this name."""
    found: Problem = module_of(family_of(problem)).PROBLEMS[problem]()
    return found


def sources(family: str) -> set[Path]:
    """The files of the benchmark that make its problems what they are."""
    found: set[Path] = set()
    waiting = [module_of(family)]
    while waiting:
        module = waiting.pop()
        file = Path(getattr(module, "__file__", None) or "")  # what is built in has none
        if HERE in file.parents and file not in found:
            found.add(file)
            origins = map(inspect.getmodule, vars(module).values())
            waiting += [origin for origin in origins if origin]
    return found


def mean_of(figures: Mapping[str, Any]) -> Any:
    """The weighted mean of one number, or array, of each family."""
    total = sum(WEIGHTS[family] for family in figures)
    return sum(WEIGHTS[family] * figure for family, figure in figures.items()) / total
