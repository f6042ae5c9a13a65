"""Regrets of runs, and their means over seeds, problems and families."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import families
import numpy as np
from problem import JUDGED_AFTER, Problem
from workers import Run


def curve(problem: Problem, run: Run) -> np.ndarray:
    """The regret of what a search would answer with after each trial; shape [trials].

    Where trials are noisy it is known after some numbers of trials only, and NaN elsewhere. Until
    a trial succeeds, the regret is that of the median.
    """
    losses = np.array(run["losses"], dtype=float)
    if problem.noisy:
        found = np.full(len(losses), math.nan)
        for count, loss in run["chosen"].items():
            found[int(count) - 1] = problem.regret(loss)
        return found
    lowest = np.minimum.accumulate(losses)
    regrets: np.ndarray = problem.regret(np.where(np.isfinite(lowest), lowest, problem.median))
    return regrets


@dataclass(frozen=True)
class Figure:
    """A mean and its standard error, which is NaN with a single seed."""

    mean: float
    error: float

    def __str__(self) -> str:
        error = "  ?   " if math.isnan(self.error) else f"{self.error:.4f}"
        return f"{self.mean:.4f} ± {error}"


def over_problems(regrets: Sequence[np.ndarray]) -> Figure:
    """The mean over problems of the mean over seeds; an array of seeds for each problem."""
    means = [each.mean() for each in regrets]
    variances = [each.var(ddof=1) / len(each) if len(each) > 1 else math.nan for each in regrets]
    return Figure(float(np.mean(means)), math.sqrt(sum(variances)) / len(regrets))


def over_families(figures: Mapping[str, Figure]) -> Figure:
    """The weighted mean over families; see `families.WEIGHTS`."""
    total = sum(families.WEIGHTS[name] for name in figures)
    shares = {name: families.WEIGHTS[name] / total for name in figures}
    mean = sum(share * figures[name].mean for name, share in shares.items())
    variance = sum((share * figures[name].error) ** 2 for name, share in shares.items())
    return Figure(mean, math.sqrt(variance))


@dataclass(frozen=True)
class Regrets:
    """The curves of all runs by optimiser and problem; shape [seeds, trials] each."""

    curves: dict[tuple[str, str], np.ndarray]

    @classmethod
    def of(cls, curves: Mapping[tuple[str, str], Sequence[Any]]) -> Self:
        """Lists of curves."""
        return cls({key: np.array(found) for key, found in curves.items()})

    def problems(self, family: str) -> list[str]:
        """The problems of a family that were run."""
        ran = {problem for _, problem in self.curves}
        return [name for name in families.problems_of(family) if name in ran]

    def of_problem(self, optimiser: str, name: str, trials: int) -> Figure:
        """Mean regret on one problem."""
        return over_problems([self.curves[optimiser, name][:, trials - 1]])

    def of_family(self, optimiser: str, family: str, trials: int) -> Figure:
        """Mean regret on a family."""
        names = self.problems(family)
        return over_problems([self.curves[optimiser, name][:, trials - 1] for name in names])

    def by_family(self, optimiser: str, names: Sequence[str], trials: int) -> dict[str, Figure]:
        """Mean regret on each of these families."""
        return {name: self.of_family(optimiser, name, trials) for name in names}

    def mean(self, optimiser: str, names: Sequence[str], trials: int) -> Figure:
        """Weighted mean over these families."""
        return over_families(self.by_family(optimiser, names, trials))

    def score(self, optimiser: str, family: str) -> float:
        """What settings are chosen by: the mean of the regrets after 25 and 50 trials."""
        found = [self.of_family(optimiser, family, trials).mean for trials in JUDGED_AFTER]
        return float(np.mean(found))

    def mean_curve(self, optimiser: str, names: Sequence[str]) -> np.ndarray:
        """Weighted mean over these families after each trial; shape [trials]."""
        found: np.ndarray = families.mean_of(
            {
                name: np.mean(
                    [self.curves[optimiser, p].mean(axis=0) for p in self.problems(name)], axis=0
                )
                for name in names
            }
        )
        return found


def worth_lost(narrow: np.ndarray, wide: np.ndarray, trials: int) -> float:
    """The share of its trials' worth that `wide` lost after so many trials.

    That is one minus the trials after which `narrow` has the same regret, as a share; where it
    never has, all of its trials count.
    """
    regret = max(wide[trials - 1], narrow[-1])
    last = int(np.flatnonzero(narrow <= regret)[0])  # the regrets of both only ever fall
    step = narrow[last - 1] - narrow[last] if last else 0.0
    worth = last + 1 - ((regret - narrow[last]) / step if step > 0 else 0.0)
    return float(1 - worth / trials)
