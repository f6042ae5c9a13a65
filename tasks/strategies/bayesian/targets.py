"""Scores standardised for the surrogate model, whatever their unit and magnitude."""

from __future__ import annotations

import numpy as np

from nettuner.models.arrays import Floats

# Outliers are clipped at this many interquartile ranges from the quartiles.
FAR = 2.0
# Standardised scores are rounded to so many decimals, so that adding a constant to all scores,
# which changes their last bits, does not change the search.
DECIMALS = 9


def standardised(scores: Floats) -> Floats | None:
    """Scores with mean 0 and standard deviation 1, outliers clipped; None if all are equal.

    Args:
        scores: Finite scores of any magnitude, shape [n].
    """
    if len(scores) < 2 or np.ptp(scores / 2) == 0:
        return None
    for share in (0.25, 0.1, 0.0):  # wider quantiles if more than half of the scores are equal
        low, high = np.quantile(scores, [share, 1 - share], method="nearest")
        if high > low:
            break
    with np.errstate(over="ignore"):  # infinite limits clip nothing
        reach = FAR * (high - low) if share else 0.0
        inside = np.clip(scores, low - reach, high + reach)
    centred = inside / 2 - np.median(inside / 2)  # halves: the difference of two 1e308 is finite
    centred = centred / np.abs(centred).max()
    result: Floats = np.round((centred - centred.mean()) / centred.std(), DECIMALS)
    return result
