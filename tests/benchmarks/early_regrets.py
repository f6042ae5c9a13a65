"""Regrets after so much was trained, and what was trained until so little regret."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from workers import Run

# Searches by problem, and of each a run for each seed.
Runs = Mapping[str, Mapping[str, Sequence[Run]]]
WANTED = (0.1, 0.05, 0.02)


def regret_after(run: Run, rounds: int) -> float:
    """Of the lowest score seen; 1, the median configuration's, as long as it is higher."""
    found = [regret for done, _, regret in run["steps"] if done <= rounds]
    return min(found[-1], 1.0) if found else 1.0


def until(run: Run, regret: float, *, seconds: bool = False) -> float:
    """Rounds, or seconds, until the regret was this low; infinite if it never was."""
    return next((step[1 if seconds else 0] for step in run["steps"] if step[2] <= regret), math.inf)


def mean_after(runs: Mapping[str, Sequence[Run]], rounds: int) -> tuple[float, float]:
    """Mean over problems and seeds, and its standard error over the seeds (NaN with one)."""
    found = [np.array([regret_after(run, rounds) for run in each]) for each in runs.values()]
    errors = [x.var(ddof=1) / len(x) if len(x) > 1 else math.nan for x in found]
    return float(np.mean([x.mean() for x in found])), math.sqrt(sum(errors)) / len(found)


def median_until(runs: Sequence[Run], regret: float, *, seconds: bool = False) -> float:
    """Median over the seeds of one problem."""
    return float(np.median([until(run, regret, seconds=seconds) for run in runs]))


def ratios(
    runs: Runs, own: str, opponents: Sequence[str], regret: float, *, seconds: bool = False
) -> dict[str, tuple[float, str]]:
    """By problem: our median over that of the best opponent, and who that is.

    A problem that no opponent solved counts with 0 if we did, and is left out if we did not.
    """
    found = {}
    for problem, by_search in runs.items():
        others = {
            each: median_until(by_search[each], regret, seconds=seconds)
            for each in opponents
            if by_search.get(each)
        }
        if not by_search.get(own) or not others:
            continue
        mine = median_until(by_search[own], regret, seconds=seconds)
        best = min(others, key=lambda each: others[each])
        if math.isfinite(mine) or math.isfinite(others[best]):
            found[problem] = (mine / others[best], best)
    return found
