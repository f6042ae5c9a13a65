"""Mean and spread of a few numbers of any magnitude."""

from __future__ import annotations

import math
from collections.abc import Sequence

DEVIATION = "_std"
"""Ends the name of a metric where its standard deviation over several trainings is meant."""


def mean(values: Sequence[float]) -> float:
    """The mean; infinite or NaN where a value is.

    Raises:
        ZeroDivisionError: There are no values.
    """
    if not all(map(math.isfinite, values)):
        return sum(values) / len(values)
    try:
        return math.fsum(values) / len(values)
    except OverflowError:  # no float holds the sum
        return math.fsum(value / len(values) for value in values)


def deviation(values: Sequence[float]) -> float:
    """The sample standard deviation, divided by one less than their number (ddof = 1).

    NaN where a value is not finite, or there is only one.
    """
    if len(values) < 2 or not all(map(math.isfinite, values)):
        return math.nan
    centre = mean(values)
    return math.hypot(*(value - centre for value in values)) / math.sqrt(len(values) - 1)
