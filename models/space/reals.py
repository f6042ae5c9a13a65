"""Dimensions of floating point numbers."""

from __future__ import annotations

import math
import sys
from statistics import NormalDist
from typing import Annotated, Literal

from pydantic import Field

from nettuner.models.space.dimension import (
    High,
    Low,
    Number,
    Ranged,
    Real,
    check_range,
    inside,
    is_finite,
    strict_dataclass,
)

# Largest distance of a truncated Gaussian's range from its mean [std]: erfc(37 / sqrt 2) > 0.
MOST_STDS = 37
FACTOR = "Two thirds lie between `median / factor` and `median * factor`."


@strict_dataclass
class Uniform(Ranged):
    """Every value between `low` and `high` is equally likely."""

    low: Low
    high: High
    distribution: Literal["uniform"] = Field(default="uniform", kw_only=True)

    def __post_init__(self) -> None:
        check_range("uniform", self.low, self.high)
        if not is_finite(float(self.high) - float(self.low)):
            raise ValueError(
                "uniform needs a range below 1.8e308, "
                f"got low={self.low}, high={self.high}; narrow it"
            )

    def _quantile(self, unit: float) -> float:
        return self.low + unit * (self.high - self.low)

    def _share(self, value: float) -> float:
        return (value - self.low) / (self.high - self.low)


@strict_dataclass
class LogUniform(Ranged):
    """Uniform on a logarithmic scale between `low` and `high`."""

    low: Low
    high: High
    distribution: Literal["log-uniform"] = Field(default="log-uniform", kw_only=True)

    def __post_init__(self) -> None:
        if self.low <= 0:
            raise ValueError(
                f"a log scale needs low > 0, got low={self.low}; raise low or use uniform"
            )
        check_range("log-uniform", self.low, self.high)
        if not self._span > 0:
            raise ValueError(
                "log-uniform needs low and high whose logarithms differ, "
                f"got low={self.low}, high={self.high}; widen the range or use uniform"
            )

    @property
    def _span(self) -> float:
        return math.log(self.high) - math.log(self.low)

    def _quantile(self, unit: float) -> float:
        return math.exp(math.log(self.low) + unit * self._span)

    def _share(self, value: float) -> float:
        return (math.log(value) - math.log(self.low)) / self._span


@strict_dataclass
class Normal(Real):
    """Gaussian: about two thirds of the values lie within one `std` of `mean`."""

    mean: Annotated[Number, Field(description="The middle of the values.")]
    std: Annotated[Number, Field(gt=0, description="Two thirds lie this near to `mean`.")]
    distribution: Literal["normal"] = Field(default="normal", kw_only=True)

    def __post_init__(self) -> None:
        low, high = self.from_unit(0.0), self.from_unit(1.0)
        if not (is_finite(low) and is_finite(high) and low < high):
            raise ValueError(
                "normal needs numbers that floats can hold and tell apart, "
                f"got mean={self.mean}, std={self.std}; bring them closer together"
            )

    @property
    def bounded(self) -> bool:
        """Never: the tails are infinite."""
        return False

    def _holds(self, value: float) -> bool:
        return is_finite(value)

    def from_unit(self, unit: float) -> float:
        """Quantile of the Gaussian."""
        return NormalDist(self.mean, self.std).inv_cdf(inside(unit))

    def to_unit(self, value: float) -> float:
        """CDF of the Gaussian."""
        return _below((float(value) - self.mean) / self.std)

    def support(self) -> str:
        """Centre and width, for messages."""
        return f"about {self.mean:.4g}, std {self.std:.4g}"


def _below(deviation: float) -> float:
    """CDF of the standard Gaussian, accurate in the lower tail too."""
    return math.erfc(-deviation / math.sqrt(2)) / 2


@strict_dataclass
class LogNormal(Real):
    """The natural logarithm is Gaussian.

    Two thirds of the values lie between `median / factor` and `median * factor`.
    """

    median: Annotated[Number, Field(gt=0, description="Half of the values are smaller.")]
    factor: Annotated[Number, Field(gt=1, description=FACTOR)]
    distribution: Literal["log-normal"] = Field(default="log-normal", kw_only=True)

    def __post_init__(self) -> None:
        try:
            fits = 0 < self.from_unit(0.0) < self.from_unit(1.0) < math.inf
        except (OverflowError, ValueError):  # ValueError: the logarithm of factor rounds to 0
            fits = False
        if not fits:
            raise ValueError(
                "log-normal needs numbers that floats can hold and tell apart, "
                f"got median={self.median}, factor={self.factor}; choose a factor such as 2"
            )

    @property
    def bounded(self) -> bool:
        """Never: the upper tail is infinite."""
        return False

    def _holds(self, value: float) -> bool:
        return value > 0 and is_finite(value)

    def from_unit(self, unit: float) -> float:
        """Quantile: the exponential of the Gaussian's."""
        logarithm = NormalDist(math.log(self.median), math.log(self.factor))
        return math.exp(logarithm.inv_cdf(inside(unit)))

    def to_unit(self, value: float) -> float:
        """CDF of the logarithm."""
        if value <= 0:
            return 0.0
        return _below((math.log(value) - math.log(self.median)) / math.log(self.factor))

    def support(self) -> str:
        """Centre and spread, for messages."""
        return f"about {self.median:.4g}, within a factor {self.factor:.4g}"


@strict_dataclass
class TruncatedNormal(Ranged):
    """Gaussian cut off at `low` and `high`; `mean` may lie outside of them."""

    mean: Annotated[Number, Field(description="The middle before it is cut off.")]
    std: Annotated[Number, Field(gt=0, description="Its width before it is cut off.")]
    low: Low
    high: High
    distribution: Literal["truncated-normal"] = Field(default="truncated-normal", kw_only=True)

    def __post_init__(self) -> None:
        check_range("truncated-normal", self.low, self.high)
        given = f"mean={self.mean}, std={self.std}, low={self.low}, high={self.high}"
        if max(self.low - self.mean, self.mean - self.high) > MOST_STDS * self.std:
            raise ValueError(
                f"truncated-normal needs a range within {MOST_STDS} std of its mean, got {given}; "
                "raise std or use uniform"
            )
        if not self._shares[0] < self._shares[1]:
            raise ValueError(
                f"truncated-normal needs a range that is wide beside its std, got {given}; "
                "lower std or use uniform"
            )

    @property
    def _side(self) -> int:
        """-1 where the range lies in the upper tail, which is then mirrored: floats are finer
        near 0 than near 1."""
        return -1 if self.low > self.mean else 1

    @property
    def _shares(self) -> tuple[float, float]:
        """CDF of the (mirrored) Gaussian at the range's start and end."""
        low, high = sorted((self._deviation(self.low), self._deviation(self.high)))
        return _below(low), _below(high)

    def _deviation(self, value: float) -> float:
        return self._side * (value - self.mean) / self.std

    def _quantile(self, unit: float) -> float:
        start, end = self._shares
        share = start + (unit if self._side > 0 else 1 - unit) * (end - start)
        share = min(max(share, sys.float_info.min), 1 - 2.0**-53)
        return self.mean + self._side * self.std * NormalDist().inv_cdf(share)

    def _share(self, value: float) -> float:
        start, end = self._shares
        share = (_below(self._deviation(value)) - start) / (end - start)
        return share if self._side > 0 else 1 - share
