"""One dimension as an axis from 0 to 1, on which the surrogate model measures distances.

For most dimensions the axis is the unit interval of their distribution. Quantiles would compress
the tails of a Gaussian so much that the model could never overrule the prior, so such a dimension
is linear in the Gaussian's own variable. The prior enters by `log_prior` instead of distances.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from nettuner.models.arrays import Floats
from nettuner.models.space import Choice, Dimension, TruncatedNormal

# Unbounded dimensions are modelled, and searched, up to so many standard deviations.
REACH = 3.1


class Axis:
    """The unit interval of a dimension; all its places are equally likely."""

    def __init__(self, dimension: Dimension) -> None:
        self.dimension = dimension
        self.levels = dimension.levels
        self.ordered = dimension.is_ordered
        self._positions: dict[Hashable, int] = {
            (isinstance(level, bool), level): i for i, level in enumerate(self.levels or ())
        }
        self.middles = np.array([self.line(level) for level in self.levels or ()])
        """Position of each listed value on the axis; shape [levels]."""
        units = np.array([dimension.to_unit(level) for level in self.levels or ()])
        self._borders = (units[1:] + units[:-1]) / 2

    @property
    def searched(self) -> bool:
        """Whether there is more than one value."""
        return self.levels is None or len(self.levels) > 1

    def number(self, value: Any) -> float:
        """The index of a listed value, or the position on the axis of any other."""
        if self.levels is None:
            return self.line(value)
        return self._positions[isinstance(value, bool), value]

    def value(self, number: float) -> Any:
        """The value at an index or position; plain Python."""
        return self._value(number) if self.levels is None else self.levels[int(number)]

    def drawn(self, units: Floats) -> Floats:
        """The indices or positions of the values at these quantiles."""
        if self.levels is None:
            return self._drawn(units)
        found: Floats = np.searchsorted(self._borders, units).astype(float)
        return found

    def log_prior(self, numbers: Floats) -> Floats:
        """Log prior density at these indices or positions, relative to its maximum."""
        if isinstance(self.dimension, Choice) and not self.ordered:
            weights = np.log(np.array(self.dimension.weights or [1.0] * len(self.middles)))
            found: Floats = (weights - weights.max())[numbers.astype(int)]
            return found
        return self._log_prior(
            numbers if self.levels is None else self.middles[numbers.astype(int)]
        )

    def line(self, value: Any) -> float:
        """Position of a value on the axis, from 0 to 1."""
        return self.dimension.to_unit(value)

    def _value(self, place: float) -> Any:
        return self.dimension.from_unit(place)

    def _drawn(self, units: Floats) -> Floats:
        return units

    def _log_prior(self, places: Floats) -> Floats:
        return np.zeros_like(places)


class Unbounded(Axis):
    """An axis linear in the standard Gaussian deviation from the median."""

    def line(self, value: Any) -> float:
        """Linear for a Gaussian, linear in the logarithm for a log-normal; clipped at REACH."""
        from scipy.special import ndtri

        deviation = np.clip(ndtri(self.dimension.to_unit(value)), -REACH, REACH)
        return float(0.5 + deviation / (2 * REACH))

    def _value(self, place: float) -> Any:
        from scipy.special import ndtr

        return self.dimension.from_unit(float(ndtr((place - 0.5) * 2 * REACH)))

    def _drawn(self, units: Floats) -> Floats:
        from scipy.special import ndtri

        places: Floats = 0.5 + np.clip(ndtri(units), -REACH, REACH) / (2 * REACH)
        return places

    def _log_prior(self, places: Floats) -> Floats:
        return -(((places - 0.5) * 2 * REACH) ** 2) / 2


class Straight(Axis):
    """An axis linear in the values of a truncated Gaussian."""

    dimension: TruncatedNormal

    def line(self, value: Any) -> float:
        """Position of `value` within the range."""
        low, high = self.dimension.low, self.dimension.high
        return float(min(max((value - low) / (high - low), 0.0), 1.0))

    def _value(self, place: float) -> Any:
        low, high = self.dimension.low, self.dimension.high
        return float(min(max(low + place * (high - low), low), high))

    def _drawn(self, units: Floats) -> Floats:
        return np.array([self.line(self.dimension.from_unit(unit)) for unit in units.tolist()])

    def _log_prior(self, places: Floats) -> Floats:
        bell = self.dimension
        deviations = (bell.low + places * (bell.high - bell.low) - bell.mean) / bell.std
        nearest = min(max(bell.low, bell.mean), bell.high)
        found: Floats = (((nearest - bell.mean) / bell.std) ** 2 - deviations**2) / 2
        return found


def axis_of(dimension: Dimension) -> Axis:
    """The axis of this dimension for the surrogate model."""
    if isinstance(dimension, TruncatedNormal):
        return Straight(dimension)
    return Axis(dimension) if dimension.bounded else Unbounded(dimension)
