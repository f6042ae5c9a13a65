"""Scores standardised for the surrogate model, whatever their unit and magnitude."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nettuner.models.arrays import Floats

# Outliers are those more than this many interquartile ranges from the quartiles. Bad ones are
# clipped there. Of good ones, which may be what is searched for, that distance counts
# logarithmically, and at most so many times.
FAR, FURTHEST = 2.0, 6.0
# Standardised scores are rounded to so many decimals, so that adding a constant to all scores,
# which changes their last bits, does not change the search.
DECIMALS = 9
# Standard errors beyond this, in standard deviations of all scores, count as this.
NOISIEST = 1e3


def standardised(scores: Floats) -> Floats | None:
    """Scores with mean 0 and standard deviation 1, outliers nearer; None if all are equal.

    Args:
        scores: Finite scores of any magnitude, shape [n].
    """
    found = in_units(scores)
    return None if found is None else found[0]


def in_units(scores: Floats) -> tuple[Floats, float] | None:
    """Scores as `standardised`, and half a unit of these in units of the scores."""
    if len(scores) < 2 or np.ptp(scores / 2) == 0:
        return None
    for share in (0.25, 0.1, 0.0):  # wider quantiles if more than half of the scores are equal
        low, high = np.quantile(scores, [share, 1 - share], method="nearest")
        if high > low:
            break
    with np.errstate(over="ignore"):  # infinite limits clip nothing
        reach = FAR * (high - low) if share else 0.0
        inside = _below(np.minimum(scores, high + reach), low - reach, reach)
    centred = inside / 2 - np.median(inside / 2)  # halves: the difference of two 1e308 is finite
    largest = np.abs(centred).max()
    centred = centred / largest
    spread = centred.std()
    result: Floats = np.round((centred - centred.mean()) / spread, DECIMALS)
    return result, float(largest * spread)


def _below(scores: Floats, limit: float, reach: float) -> Floats:
    """Scores with those below a limit nearer to it."""
    if not reach or not np.isfinite(reach):
        return scores
    beyond = np.log1p(np.maximum(limit / reach - scores / reach, 0))
    found: Floats = np.where(scores < limit, limit - reach * np.minimum(beyond, FURTHEST), scores)
    return found


def noise_of(errors: Sequence[float | None], half_unit: float) -> Floats:
    """Variance of each target's noise, from the standard error of its score; shape [n].

    Args:
        errors: Standard errors in units of the scores; None where one is unknown.
        half_unit: Half a unit of the targets, in units of the scores.
    """
    known = np.array([error or 0.0 for error in errors], dtype=float)
    with np.errstate(over="ignore"):
        shares = known / 2 / half_unit
    found: Floats = np.square(np.round(np.minimum(shares, NOISIEST), DECIMALS))
    return found
