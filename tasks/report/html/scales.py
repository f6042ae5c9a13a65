"""Axes of charts: where they are logarithmic, where they end, and which values they name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nettuner.models.arrays import Floats
from nettuner.models.space import Dimension
from nettuner.models.study import Direction
from nettuner.tasks.report.html.words import short
from nettuner.tasks.strategies.bayesian.axis import Axis, axis_of

# Values beyond this are drawn there: sums of larger ones are infinite in a browser.
LARGEST = 1e100
# A metric with a wider range than this factor gets a logarithmic axis.
WIDE = 30.0
# Listed values of more than so many are drawn as numbers.
MOST_LISTED = 12
# What is smaller than the largest value by more than this factor lies outside of a chart.
MOST_DECADES = 1e9
MARGIN = 0.06
# Height of the foot of a chart, as a share of it.
FOOT = 0.03
# Share of the worse trials that may lie outside of a chart.
OUTSIDE = 0.1
TICKS = 5


@dataclass(frozen=True)
class Scale:
    """An axis of a metric.

    Args:
        kind: `log` or `linear`.
        start: Lower end.
        end: Upper end.
    """

    kind: str
    start: float
    end: float

    @property
    def foot(self) -> float:
        """Just above the lower end, where what has no metric is drawn."""
        if self.kind == "log":
            return float(self.start * (self.end / self.start) ** FOOT)
        return self.start + FOOT * (self.end - self.start)


def drawable(values: Sequence[float] | Floats) -> Floats:
    """Values as they may be drawn; NaN stays."""
    found: Floats = np.clip(np.asarray(values, dtype=float), -LARGEST, LARGEST)
    return found


def metric_scale(values: Sequence[float], direction: Direction) -> Scale:
    """An axis for these values of a metric, of which the worst few may lie outside."""
    finite = drawable([value for value in values if math.isfinite(value)])
    if not len(finite):
        return Scale("linear", 0.0, 1.0)
    low, high = float(finite.min()), float(finite.max())
    positive = finite[finite > 0]
    if low >= 0 and len(positive) and high > WIDE * float(np.quantile(positive, OUTSIDE)):
        smallest = max(float(positive.min()), high / MOST_DECADES)
        return Scale("log", smallest * 0.8, high * 1.25)
    better = finite
    if len(finite) >= 2 * TICKS:
        if direction == "maximize":
            low = float(np.quantile(better, OUTSIDE))
        else:
            high = float(np.quantile(better, 1 - OUTSIDE))
    margin = MARGIN * (high - low) or 0.01 * abs(high) or 1.0
    return Scale("linear", low - margin, high + margin)


class Line:
    """A dimension as a line from 0 to 1: its quantiles, or the middles of its listed values.

    Args:
        dimension: Dimension.
    """

    def __init__(self, dimension: Dimension) -> None:
        self.dimension = dimension
        self.axis: Axis = axis_of(dimension)
        levels = self.axis.levels
        self.listed = levels if levels is not None and len(levels) <= MOST_LISTED else None

    def place(self, value: object) -> float:
        """The place of a value."""
        if self.listed is not None:
            return (self.axis.number(value) + 0.5) / len(self.listed)
        return self.axis.line(value)

    def of_number(self, number: float) -> float:
        """The place of an index or of a position on the axis."""
        return self.place(self.axis.value(number))

    @property
    def ordered(self) -> bool:
        """Whether nearer places are more alike."""
        return self.listed is None or self.axis.ordered

    def ticks(self) -> dict[float, str]:
        """Places that are named, with the names."""
        if self.listed is not None:
            return {self.place(value): short(value) for value in self.listed}
        return {
            place: short(_rounded(self.axis.value(self._number(place))))
            for place in np.linspace(0, 1, TICKS).tolist()
        }

    def _number(self, place: float) -> float:
        if self.axis.levels is None:
            return place
        return float(self.axis.drawn(np.array([place]))[0])


def _rounded(value: object) -> object:
    return float(f"{value:.2g}") if isinstance(value, float) else value
