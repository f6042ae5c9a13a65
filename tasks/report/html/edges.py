"""Ends of ranges that the best trials crowd at, so that better ones may lie beyond."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from nettuner.models.space import Dimension, Space
from nettuner.models.study import Trial

# Share of the trials that are the best, and fewest of them.
BEST, FEWEST = 0.15, 4
# Share of a range that is its end.
END = 0.1
# Chance by which any end of a space would have as many of the best if it did not matter.
UNLIKELY = 0.05


@dataclass(frozen=True)
class Edge:
    """An end of a range where the best trials are.

    Args:
        name: Hyperparameter.
        upper: Whether it is the upper end.
        limit: The end.
        there: Number of the best trials that are there.
        among: Number of the best trials that have the hyperparameter.
    """

    name: str
    upper: bool
    limit: float
    there: int
    among: int


def edges(space: Space, trials: Sequence[Trial]) -> list[Edge]:
    """The ends of ranges at which the best trials crowd.

    Args:
        space: Space of the trials.
        trials: Trials with scores.
    """
    count = max(FEWEST, math.ceil(BEST * len(trials)))
    if len(trials) < 2 * count:
        return []
    top = sorted(trials, key=lambda trial: (trial.score or 0.0, trial.number))[:count]
    found = []
    ranges = {name: dimension for name, dimension in space.items() if _is_range(dimension)}
    for name, dimension in ranges.items():
        units = [
            dimension.to_unit(t.proposal.params[name]) for t in top if name in t.proposal.params
        ]
        for upper in (False, True):
            limit = dimension.from_unit(1.0 if upper else 0.0)
            # Of few whole numbers the last one alone may be more than the end.
            end = max(END, 2 * min(dimension.to_unit(limit), 1 - dimension.to_unit(limit)))
            there = sum(unit > 1 - end if upper else unit < end for unit in units)
            if there and at_least(there, len(units), end) < UNLIKELY / (2 * len(ranges)):
                found.append(Edge(name, upper, limit, there, len(units)))
    return found


def at_least(successes: int, draws: int, chance: float) -> float:
    """Probability of at least so many successes in independent draws."""
    return math.fsum(
        math.comb(draws, k) * chance**k * (1 - chance) ** (draws - k)
        for k in range(successes, draws + 1)
    )


def _is_range(dimension: Dimension) -> bool:
    """Whether it is numbers with two ends, not a list of values."""
    if not dimension.bounded or not hasattr(dimension, "low"):
        return False
    return dimension.levels is None or len(dimension.levels) > 2
