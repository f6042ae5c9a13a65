"""What every dimension is: a distribution between the unit interval and its values."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
)
from pydantic.dataclasses import dataclass


def is_finite(value: object) -> bool:
    """Whether `value` is a finite number that a float can hold, or no number at all."""
    try:
        return not isinstance(value, int | float) or math.isfinite(value)
    except OverflowError:  # an integer beyond 1.8e308
        return False


def _finite(value: int | float) -> int | float:
    if not is_finite(value):
        raise ValueError(f"must be a finite number, got {value!r:.40}; give one below 1e308")
    return value


Value = StrictBool | StrictInt | StrictFloat | StrictStr
Params = Mapping[str, bool | int | float | str]
Number = Annotated[StrictInt | StrictFloat, AfterValidator(_finite)]
Low = Annotated[Number, Field(description="The smallest value.")]
High = Annotated[Number, Field(description="The largest value.")]
Condition = dict[str, Value | list[Value]]
WHEN = "It exists only where these others have these values: `{optimizer: sgd}`."

# Quantile functions of unbounded distributions are infinite at 0 and 1.
SMALLEST = 2.0**-40
# A dimension with more distinct values than this is treated as continuous.
MOST_LEVELS = 10_000

strict_dataclass = dataclass(frozen=True, config=ConfigDict(extra="forbid"))


def same(left: object, right: object) -> bool:
    """Equality that distinguishes True from 1."""
    return left == right and isinstance(left, bool) == isinstance(right, bool)


@strict_dataclass
class Dimension(ABC):
    """One hyperparameter and the prior distribution of its values."""

    when: Annotated[Condition | None, Field(description=WHEN)] = Field(default=None, kw_only=True)

    @abstractmethod
    def from_unit(self, unit: float) -> Any:
        """The value at quantile `unit` in [0, 1]."""

    @abstractmethod
    def to_unit(self, value: Any) -> float:
        """The CDF at `value`, in [0, 1]; the middle of its step where values are discrete."""

    @abstractmethod
    def contains(self, value: object) -> bool:
        """Whether `value` is of this dimension's type and inside its bounds."""

    @property
    def levels(self) -> tuple[Any, ...] | None:
        """All values in the order of the unit interval; None where there are too many to list."""
        return None

    @property
    def is_ordered(self) -> bool:
        """Whether the order of the values is meaningful."""
        return True

    @property
    def bounded(self) -> bool:
        """Whether the quantiles 0 and 1 are finite values that may be tried."""
        return True

    def grid(self, resolution: int) -> list[Any]:
        """At most `resolution` distinct values, evenly spaced in the unit interval.

        A bounded dimension includes both ends; an unordered choice always has all its values.
        """
        if resolution < 1:
            raise ValueError(f"a grid needs a resolution of at least 1, got {resolution}; raise it")
        if self.levels is not None and (not self.is_ordered or len(self.levels) <= resolution):
            return list(self.levels)
        if resolution == 1:
            units = [0.5]
        elif self.bounded:
            units = [i / (resolution - 1) for i in range(resolution)]
        else:
            units = [(i + 0.5) / resolution for i in range(resolution)]
        values: list[Any] = []
        for unit in units:
            value = self.from_unit(unit)
            if not (values and same(values[-1], value)):
                values.append(value)
        return values

    def support(self) -> str:
        """The range of values, for messages."""
        return f"{self.from_unit(0.0):.4g} to {self.from_unit(1.0):.4g}"


@strict_dataclass
class Real(Dimension, ABC):
    """A dimension of floating point numbers."""

    def contains(self, value: object) -> bool:
        """Whether `value` is a finite number inside the bounds."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return self._holds(value)

    @abstractmethod
    def _holds(self, value: float) -> bool:
        """Whether a number is finite and inside the bounds."""


def check_range(kind: str, low: float, high: float) -> None:
    """Reject a range that is empty or reversed.

    Raises:
        ValueError: `low` is not below `high`.
    """
    if low >= high:
        raise ValueError(
            f"{kind} needs low < high, got low={low}, high={high}; "
            + ("swap them" if low > high else "give a single value to fix it")
        )


class Ranged(Real, ABC):
    """Real numbers from `low` to `high`, both included."""

    if TYPE_CHECKING:  # each subclass declares them, in the order of its positional fields
        low: int | float
        high: int | float

    def _holds(self, value: float) -> bool:
        return self.low <= value <= self.high

    def _clipped(self, value: float) -> float:
        return float(min(max(value, self.low), self.high))

    def from_unit(self, unit: float) -> float:
        """The quantile; exactly low and high at the ends, despite rounding."""
        if not 0 < unit < 1:
            return float(self.low if unit <= 0 else self.high)
        return self._clipped(self._quantile(unit))

    def to_unit(self, value: float) -> float:
        """The CDF at `value`."""
        return float(min(max(self._share(self._clipped(value)), 0.0), 1.0))

    @abstractmethod
    def _quantile(self, unit: float) -> float:
        """`from_unit` strictly between 0 and 1."""

    @abstractmethod
    def _share(self, value: float) -> float:
        """`to_unit` of a value within the bounds."""


def inside(unit: float, smallest: float = SMALLEST) -> float:
    """`unit`, clipped away from 0 and 1."""
    return float(min(max(unit, smallest), 1 - smallest))
