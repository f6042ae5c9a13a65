"""What the curves of all configurations tell, as few numbers on one scale.

A curve is thinned to one point a rung. The scale is that of the search: 0 for the lowest score, 1
for the median of all curves' lowest ones. What is worse counts logarithmically, and not beyond a
limit, where diverged and failed trainings are too: how bad something bad is tells nothing of where
the good ones are. Scores that spread over orders of magnitude are replaced by their logarithms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nettuner.models.arrays import Bools, Floats, Ints

# The scale's limit for what is bad, in distances between the median and the lowest score.
LIMIT = 2.0
# Positive scores whose median is this many times the lowest one are taken as logarithms.
ORDERS = 10.0
DECIMALS = 9


@dataclass(frozen=True)
class Observations:
    """Points of curves; all arrays have shape [n].

    Args:
        owner: Index of the configuration that a point is of.
        round_: Round of the point, from 1.
        score: Score there, lower is better; NaN where the training diverged or failed.
    """

    owner: Ints
    round_: Floats
    score: Floats

    def at_rungs(self, rungs: Sequence[int]) -> Observations:
        """The last point of each configuration up to each rung and after the one before."""
        bins = np.searchsorted(np.asarray(rungs), self.round_)
        order = np.lexsort((self.round_, bins, self.owner))
        owner, bins = self.owner[order], bins[order]
        last = np.append((np.diff(owner) != 0) | (np.diff(bins) != 0), True)[: len(order)]
        return self.subset(order[last])

    def subset(self, which: Ints | Bools) -> Observations:
        """Some of the points."""
        return Observations(self.owner[which], self.round_[which], self.score[which])

    def thinned(self, most: int) -> Observations:
        """At most about so many points: of bad curves the last alone, then fewer of the worst."""
        if len(self.owner) <= most:
            return self
        lowest = lowest_of(self)
        ranks = np.empty(len(lowest), dtype=int)
        ranks[np.argsort(lowest, kind="stable")] = np.arange(len(lowest))
        latest = np.full(len(lowest), -np.inf)
        np.maximum.at(latest, self.owner, self.round_)
        is_last = self.round_ == latest[self.owner]
        # All points of the best curves and the last one of each other, as far as there is room.
        priority = np.where(is_last, 0, len(lowest)) + ranks[self.owner]
        return self.subset(np.sort(np.argsort(priority, kind="stable")[:most]))


def lowest_of(points: Observations) -> Floats:
    """Lowest score of each configuration, infinite where there is none; shape [configurations]."""
    found = np.full(int(points.owner.max(initial=-1)) + 1, np.inf)
    finite = np.isfinite(points.score)
    np.minimum.at(found, points.owner[finite], points.score[finite])
    return found


def targets(points: Observations) -> Floats | None:
    """The scores on the scale of the search, shape [n]; None if all are equal."""
    scores, lowest = points.score, lowest_of(points)[np.unique(points.owner)]
    finite = np.isfinite(scores)
    if not finite.any():
        return None
    best = float(lowest.min())
    typical = float(np.quantile(lowest, 0.5, method="lower"))
    if not np.isfinite(typical) or typical == best:
        typical = float(scores[finite].max())
    if typical == best:
        return None if finite.all() else np.where(finite, 0.0, LIMIT)
    if best > 0 and typical / ORDERS > best:
        with np.errstate(invalid="ignore"):
            scores, best, typical = np.log(scores), math.log(best), math.log(typical)
    with np.errstate(over="ignore", invalid="ignore"):
        places = np.asarray((scores / 2 - best / 2) / (typical / 2 - best / 2), dtype=float)
        beyond = 1 + np.log(np.maximum(places, 1))
    bounded = np.minimum(np.where(places > 1, beyond, places), LIMIT)
    values = np.where(finite, bounded, LIMIT).astype(float)
    found: Floats = np.round(values, DECIMALS)
    return found
