"""Scores as a model should see them: without unit or origin, whatever their magnitude."""

from __future__ import annotations

import numpy as np

from nettuner.models.arrays import Floats

# Scores further out than so many times the middle half's range count as that far.
FAR = 2.0
# Standardised scores are rounded to so many decimals: adding a constant to all scores changes
# their last bits, and must not change the search.
DECIMALS = 9


def standardised(scores: Floats) -> Floats | None:
    """Scores with mean 0 and standard deviation 1, outliers pulled in; None if all are equal.

    Args:
        scores: Shape [n], finite, of any magnitude: one 1e300 does not hide the others.
    """
    if len(scores) < 2 or np.ptp(scores / 2) == 0:
        return None
    for share in (0.25, 0.1, 0.0):  # where more than half of the scores are equal, look further
        low, high = np.quantile(scores, [share, 1 - share], method="nearest")
        if high > low:
            break
    with np.errstate(over="ignore"):  # infinite limits are none
        reach = FAR * (high - low) if share else 0.0
        inside = np.clip(scores, low - reach, high + reach)
    centred = inside / 2 - np.median(inside / 2)  # halves: the difference of two 1e308 is finite
    centred = centred / np.abs(centred).max()
    result: Floats = np.round((centred - centred.mean()) / centred.std(), DECIMALS)
    return result
