"""Dimensions of values that can be listed: whole numbers, choices, a single value."""

from __future__ import annotations

import bisect
import functools
import itertools
import math
from collections.abc import Hashable
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StrictInt

from nettuner.models.space.dimension import (
    MOST_LEVELS,
    Dimension,
    Number,
    Value,
    check_range,
    is_finite,
    same,
    strict_dataclass,
)

# Not all larger integers have a float of their own.
LARGEST = 2**53
MOST_SHOWN = 100


@strict_dataclass
class Integer(Dimension):
    """Integers from `low` to `high`, both included, all equally likely.

    With `log`, k has the probability of [k - 1/2, k + 1/2] under a log-uniform distribution.
    """

    low: Annotated[StrictInt, Field(description="The smallest one.")]
    high: Annotated[StrictInt, Field(description="The largest one.")]
    log: Annotated[StrictBool, Field(description="Doublings are equally likely.")] = Field(
        default=False, kw_only=True
    )
    step: Annotated[StrictInt, Field(ge=1, description="The distance of two neighbours.")] = Field(
        default=1, kw_only=True
    )
    distribution: Literal["integer"] = Field(default="integer", kw_only=True)

    def __post_init__(self) -> None:
        if max(abs(self.low), abs(self.high)) > LARGEST:
            raise ValueError(
                f"integer needs bounds of at most 2**53 in size, got low={self.low!r:.40}, "
                f"high={self.high!r:.40}; narrow the range"
            )
        if self.log and self.low <= 0:
            raise ValueError(
                f"a log scale needs low > 0, got low={self.low}; raise low or drop log"
            )
        if self.log and self.step != 1:
            raise ValueError(
                f"a log scale takes no step, got step={self.step}; list the values as a choice"
            )
        check_range("integer", self.low, self.high)
        if (self.high - self.low) % self.step:
            last = self.high - (self.high - self.low) % self.step
            raise ValueError(
                f"integer must reach high in whole steps, got low={self.low}, high={self.high}, "
                f"step={self.step}; set high to {last} or {last + self.step}"
            )

    @property
    def _count(self) -> int:
        return (self.high - self.low) // self.step + 1

    @property
    def levels(self) -> tuple[int, ...] | None:
        """The integers from low to high."""
        if self._count > MOST_LEVELS:
            return None
        return tuple(range(self.low, self.high + 1, self.step))

    def from_unit(self, unit: float) -> int:
        """The integer whose share of the unit interval holds `unit`."""
        if self.log:
            start, end = math.log(self.low - 0.5), math.log(self.high + 0.5)
            index = round(math.exp(start + unit * (end - start))) - self.low
        else:
            index = math.floor(unit * self._count)
        return self.low + self.step * min(max(index, 0), self._count - 1)

    def to_unit(self, value: float) -> float:
        """The middle of the integer's share of the unit interval."""
        value = min(max(value, self.low), self.high)
        if self.log:
            start, end = math.log(self.low - 0.5), math.log(self.high + 0.5)
            middle = (math.log(value - 0.5) + math.log(value + 0.5)) / 2
            return float(min(max((middle - start) / (end - start), 0.0), 1.0))
        return float(((value - self.low) / self.step + 0.5) / self._count)

    def contains(self, value: object) -> bool:
        """Whether `value` is one of the integers."""
        if isinstance(value, bool) or not isinstance(value, int):
            return False
        return self.low <= value <= self.high and (value - self.low) % self.step == 0

    def support(self) -> str:
        """Range and step, for messages."""
        return f"{self.low} to {self.high}" + (f" step {self.step}" if self.step > 1 else "")


@strict_dataclass
class Choice(Dimension):
    """One of the `values`: numbers, strings or booleans, equally likely unless weighted."""

    values: Annotated[list[Value], Field(min_length=1, description="In a list.")]
    weights: Annotated[
        list[Annotated[Number, Field(gt=0)]] | None,
        Field(description="How likely each value is, beside the others."),
    ] = Field(default=None, kw_only=True)
    ordered: Annotated[
        StrictBool, Field(description="Whether neighbours in the list are alike.")
    ] = Field(default=False, kw_only=True)
    distribution: Literal["choice"] = Field(default="choice", kw_only=True)

    def __post_init__(self) -> None:
        seen: set[tuple[bool, object]] = set()
        for value in self.values:
            if _key(value) in seen:
                raise ValueError(f"a choice needs distinct values, got {value!r} twice; drop one")
            if not is_finite(value):
                raise ValueError(f"a choice needs finite numbers, got {value!r:.40}; drop it")
            seen.add(_key(value))
        if self.weights is not None and len(self.weights) != len(self.values):
            raise ValueError(
                f"a choice needs one weight per value, got {len(self.weights)} weights "
                f"for {len(self.values)} values; add or drop weights"
            )
        if any(self.from_unit(self.to_unit(value)) is not value for value in self.values):
            raise ValueError(
                f"a choice needs weights of comparable size, got {self.weights}; "
                "drop the values that are all but impossible"
            )

    @property
    def is_ordered(self) -> bool:
        """Whether the values were given in a meaningful order."""
        return self.ordered

    @property
    def levels(self) -> tuple[Any, ...]:
        """The values as given."""
        return tuple(self.values)

    @functools.cached_property
    def _edges(self) -> list[float]:
        weights = [1.0] * len(self.values)
        if self.weights:  # scaled first, so that their sum cannot overflow
            largest = max(self.weights)
            weights = [weight / largest for weight in self.weights]
        sums = _exact_sums(weights)
        return [0.0, *(part / sums[-1] for part in sums[:-1]), 1.0]

    @functools.cached_property
    def _places(self) -> dict[tuple[bool, object], int]:
        return {_key(value): i for i, value in enumerate(self.values)}

    def from_unit(self, unit: float) -> Any:
        """The value whose share of the unit interval holds `unit`."""
        place = bisect.bisect_right(self._edges, unit, lo=1) - 1
        return self.values[min(place, len(self.values) - 1)]

    def to_unit(self, value: Any) -> float:
        """The middle of the value's share of the unit interval."""
        if not self.contains(value):
            raise ValueError(f"must be one of {self.support()}, got {value!r}; correct it")
        index = self._places[_key(value)]
        return (self._edges[index] + self._edges[index + 1]) / 2

    def contains(self, value: object) -> bool:
        """Whether `value` is one of the values."""
        return isinstance(value, Hashable) and _key(value) in self._places

    def support(self) -> str:
        """The values, for messages; of many the first."""
        more = len(self.values) - MOST_SHOWN
        shown = ", ".join(str(value) for value in self.values[:MOST_SHOWN])
        return f"{shown} and {more} more" if more > 0 else shown


def _key(value: object) -> tuple[bool, object]:
    """Equal for two values that are the same."""
    return isinstance(value, bool), value


def _exact_sums(weights: list[float]) -> list[float]:
    """The sum of the first weights, of the first two, ...: each rounded once, as by math.fsum."""
    ratios = [weight.as_integer_ratio() for weight in weights]
    unit = max(below for _, below in ratios)  # a power of two, like all of them
    sums = itertools.accumulate(above * (unit // below) for above, below in ratios)
    return [total / unit for total in sums]


@strict_dataclass
class Fixed(Dimension):
    """A constant: part of every trial, never searched."""

    value: Annotated[Value, Field(description="The constant.")]
    distribution: Literal["fixed"] = Field(default="fixed", kw_only=True)

    def __post_init__(self) -> None:
        if not is_finite(self.value):
            raise ValueError(f"must be a finite number, got {self.value!r:.40}; give another")

    @property
    def levels(self) -> tuple[Any, ...]:
        """The one value."""
        return (self.value,)

    def from_unit(self, unit: float) -> Any:
        """The value, whatever `unit` is."""
        return self.value

    def to_unit(self, value: Any) -> float:
        """Always the middle."""
        return 0.5

    def contains(self, value: object) -> bool:
        """Whether `value` is the one."""
        return same(value, self.value)

    def support(self) -> str:
        """The value, for messages."""
        return str(self.value)
