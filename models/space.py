"""The search space: every dimension is a distribution between the unit interval and its values.

`from_unit` is a quantile function and `to_unit` the matching distribution function, so one pair
of methods serves sampling (`from_unit(rng.random())`), grids (`from_unit` of evenly spaced u),
surrogate models (which see `to_unit`) and steps of a population (taken in u, then mapped back).
Values that leave a dimension are plain `int`, `float`, `str` or `bool`.
"""

from __future__ import annotations

import functools
import math
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from statistics import NormalDist
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    RootModel,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    model_validator,
)
from pydantic.dataclasses import dataclass

if TYPE_CHECKING:
    from numpy.random import Generator


def _is_finite(value: object) -> bool:
    """Whether `value` is no number, or one that a float can hold."""
    try:
        return not isinstance(value, int | float) or math.isfinite(value)
    except OverflowError:  # an integer beyond 1.8e308
        return False


def _finite(value: int | float) -> int | float:
    if not _is_finite(value):
        raise ValueError(f"must be a finite number, got {value!r:.40}; give one below 1e308")
    return value


Value = StrictBool | StrictInt | StrictFloat | StrictStr
Params = Mapping[str, bool | int | float | str]
Number = Annotated[StrictInt | StrictFloat, AfterValidator(_finite)]
Condition = dict[str, Value | list[Value]]

# Quantile functions of unbounded distributions are infinite at 0 and 1. Those of scipy's discrete
# distributions search step by step, so their tails are cut earlier.
SMALLEST = 2.0**-40
SMALLEST_DISCRETE = 2.0**-20
# Whole numbers beyond this cannot be told apart as floats.
LARGEST = 2**53
# The furthest that a truncated Gaussian's range may be from its mean: erfc(37 / sqrt 2) > 0.
MOST_STDS = 37
# A dimension with more distinct values than this is treated as continuous.
MOST_LEVELS = 10_000

strict_dataclass = dataclass(frozen=True, config=ConfigDict(extra="forbid"))


def same(left: object, right: object) -> bool:
    """Equality that keeps True apart from 1."""
    return left == right and isinstance(left, bool) == isinstance(right, bool)


@strict_dataclass
class Dimension(ABC):
    """One hyperparameter, and how likely each of its values is before anything is known."""

    when: Condition | None = Field(default=None, kw_only=True)
    """The dimension exists only where these others have these values: `{optimizer: sgd}`."""

    @abstractmethod
    def from_unit(self, unit: float) -> Any:
        """The value at quantile `unit` in [0, 1]."""

    @abstractmethod
    def to_unit(self, value: Any) -> float:
        """Where `value` lies in [0, 1]; the middle of its share where values are discrete."""

    @abstractmethod
    def contains(self, value: object) -> bool:
        """Whether `value` is of this dimension's type and inside its bounds."""

    @property
    def levels(self) -> tuple[Any, ...] | None:
        """All values in the order of the unit interval; None where there are too many to list."""
        return None

    @property
    def is_ordered(self) -> bool:
        """Whether neighbours in the unit interval are alike."""
        return True

    @property
    def bounded(self) -> bool:
        """Whether the quantiles 0 and 1 are themselves values one may try."""
        return True

    def grid(self, resolution: int) -> list[Any]:
        """At most `resolution` distinct values, evenly spaced in the unit interval.

        A bounded dimension includes both of its ends; an unordered choice is taken whole.
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
        """The values in a few words, for people."""
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


def _check_range(kind: str, low: float, high: float) -> None:
    if low >= high:
        raise ValueError(
            f"{kind} needs low < high, got low={low}, high={high}; "
            + ("swap them" if low > high else "give a single value to fix it")
        )


class Ranged(Real, ABC):
    """Real numbers from `low` to `high`, both included."""

    if TYPE_CHECKING:  # each class below declares them in the order people give its fields
        low: int | float
        high: int | float

    def _holds(self, value: float) -> bool:
        return self.low <= value <= self.high

    def _clipped(self, value: float) -> float:
        return float(min(max(value, self.low), self.high))

    def from_unit(self, unit: float) -> float:
        """The quantile; exactly low and high at the ends, whatever the rounding between."""
        if not 0 < unit < 1:
            return float(self.low if unit <= 0 else self.high)
        return self._clipped(self._quantile(unit))

    def to_unit(self, value: float) -> float:
        """The share of the distribution below `value`."""
        return float(min(max(self._share(self._clipped(value)), 0.0), 1.0))

    @abstractmethod
    def _quantile(self, unit: float) -> float:
        """`from_unit` strictly inside the interval."""

    @abstractmethod
    def _share(self, value: float) -> float:
        """`to_unit` of a value inside the bounds."""


@strict_dataclass
class Uniform(Ranged):
    """Every value between `low` and `high` is equally likely."""

    low: Number
    high: Number
    distribution: Literal["uniform"] = Field(default="uniform", kw_only=True)

    def __post_init__(self) -> None:
        _check_range("uniform", self.low, self.high)
        if not _is_finite(float(self.high) - float(self.low)):
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
    """Every order of magnitude between `low` and `high` is equally likely."""

    low: Number
    high: Number
    distribution: Literal["log-uniform"] = Field(default="log-uniform", kw_only=True)

    def __post_init__(self) -> None:
        if self.low <= 0:
            raise ValueError(
                f"a log scale needs low > 0, got low={self.low}; raise low or use uniform"
            )
        _check_range("log-uniform", self.low, self.high)
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


def _inside(unit: float, smallest: float = SMALLEST) -> float:
    return float(min(max(unit, smallest), 1 - smallest))


@strict_dataclass
class Normal(Real):
    """Gaussian: `mean` is likeliest, about two thirds lie within one `std` of it."""

    mean: Number
    std: Annotated[Number, Field(gt=0)]
    distribution: Literal["normal"] = Field(default="normal", kw_only=True)

    def __post_init__(self) -> None:
        low, high = self.from_unit(0.0), self.from_unit(1.0)
        if not (_is_finite(low) and _is_finite(high) and low < high):
            raise ValueError(
                "normal needs numbers that floats can hold and tell apart, "
                f"got mean={self.mean}, std={self.std}; bring them closer together"
            )

    @property
    def bounded(self) -> bool:
        """Never: the tails are infinite."""
        return False

    def _holds(self, value: float) -> bool:
        return _is_finite(value)

    def from_unit(self, unit: float) -> float:
        """Quantile of the Gaussian."""
        return NormalDist(self.mean, self.std).inv_cdf(_inside(unit))

    def to_unit(self, value: float) -> float:
        """Distribution function of the Gaussian."""
        return _below((float(value) - self.mean) / self.std)

    def support(self) -> str:
        """Centre and width, for people."""
        return f"about {self.mean:.4g}, std {self.std:.4g}"


def _below(deviation: float) -> float:
    """The standard Gaussian's distribution function, exact in the lower tail too."""
    return math.erfc(-deviation / math.sqrt(2)) / 2


@strict_dataclass
class LogNormal(Real):
    """The natural logarithm is Gaussian; `median` is likeliest on a log scale.

    Two thirds of the values lie between `median / factor` and `median * factor`.
    """

    median: Annotated[Number, Field(gt=0)]
    factor: Annotated[Number, Field(gt=1)]
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
        return value > 0 and _is_finite(value)

    def from_unit(self, unit: float) -> float:
        """Quantile: the exponential of the Gaussian's."""
        logarithm = NormalDist(math.log(self.median), math.log(self.factor))
        return math.exp(logarithm.inv_cdf(_inside(unit)))

    def to_unit(self, value: float) -> float:
        """Distribution function of the logarithm."""
        if value <= 0:
            return 0.0
        return _below((math.log(value) - math.log(self.median)) / math.log(self.factor))

    def support(self) -> str:
        """Centre and spread, for people."""
        return f"about {self.median:.4g}, within a factor {self.factor:.4g}"


@strict_dataclass
class TruncatedNormal(Ranged):
    """Gaussian cut off at `low` and `high`; `mean` may lie outside of them."""

    mean: Number
    std: Annotated[Number, Field(gt=0)]
    low: Number
    high: Number
    distribution: Literal["truncated-normal"] = Field(default="truncated-normal", kw_only=True)

    def __post_init__(self) -> None:
        _check_range("truncated-normal", self.low, self.high)
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
        """How much of the whole (mirrored) Gaussian lies below the range's start and its end."""
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


@functools.lru_cache(maxsize=256)
def _frozen(name: str, args: tuple[tuple[str, float], ...]) -> Any:
    from scipy import stats  # takes most of a second, and few studies need it

    family = getattr(stats, name, None)
    if not isinstance(family, stats.rv_continuous | stats.rv_discrete):
        raise ValueError(
            f"name must be a distribution of scipy.stats, got {name!r}; "
            "see its reference for the names, for example beta, gamma, poisson"
        )
    known = [shape.strip() for shape in (family.shapes or "").split(",") if shape.strip()]
    known += ["loc"] + (["scale"] if isinstance(family, stats.rv_continuous) else [])
    given = dict(args)
    wrong = sorted(set(given) - set(known))
    missing = [shape for shape in known if shape not in ("loc", "scale") and shape not in given]
    if wrong or missing:
        got = ", ".join(f"{key}={value}" for key, value in args) or "none"
        way_out = f"drop {', '.join(wrong)}" if wrong else f"add {', '.join(missing)}"
        raise ValueError(f"scipy.stats.{name} takes args {', '.join(known)}, got {got}; {way_out}")
    frozen = family(**given)
    discrete = isinstance(family, stats.rv_discrete)
    if not math.isfinite(float(frozen.ppf(0.5))):
        raise ValueError(
            f"scipy.stats.{name} needs args inside its domain, got {given}; see its reference"
        )
    if discrete and given.get("loc", 0) % 1:
        raise ValueError(
            f"scipy.stats.{name} is discrete and needs a whole loc, got loc={given['loc']}; "
            "round it"
        )
    if discrete and not math.isfinite(float(frozen.var())):
        raise ValueError(
            f"scipy.stats.{name} must be of finite variance to be searched, got {given}; "
            "give it lighter tails"
        )
    return frozen


@strict_dataclass
class Scipy(Dimension):
    """Any distribution of `scipy.stats` by its name there, with its arguments."""

    name: str
    args: dict[str, Number] = Field(default_factory=dict)
    distribution: Literal["scipy"] = Field(default="scipy", kw_only=True)

    def __post_init__(self) -> None:
        self._frozen()

    def _frozen(self) -> Any:
        return _frozen(self.name, tuple(sorted(self.args.items())))

    @property
    def discrete(self) -> bool:
        """Whether its values are integers."""
        return hasattr(self._frozen().dist, "pmf")

    @functools.cached_property
    def _ends(self) -> tuple[float, float]:
        low, high = self._frozen().support()
        return float(low), float(high)

    @functools.cached_property
    def bounded(self) -> bool:
        """Whether both ends are finite and may be tried."""
        if not all(math.isfinite(end) for end in self._ends):
            return False
        return self.discrete or all(math.isfinite(self._frozen().pdf(end)) for end in self._ends)

    @property
    def levels(self) -> tuple[int, ...] | None:
        """The integers of a discrete distribution with few values, less its furthest tails."""
        if not self.discrete:
            return None
        first, last = self.from_unit(0.0), self.from_unit(1.0)
        return tuple(range(first, last + 1)) if last - first < MOST_LEVELS else None

    def from_unit(self, unit: float) -> Any:
        """Quantile: an int where the distribution is discrete, else a float."""
        if self.discrete:
            return round(float(self._frozen().ppf(_inside(unit, SMALLEST_DISCRETE))))
        if self.bounded and not 0 < unit < 1:
            return self._ends[0] if unit <= 0 else self._ends[1]
        value = float(self._frozen().ppf(_inside(unit)))
        return min(max(value, self._ends[0]), self._ends[1])

    def to_unit(self, value: float) -> float:
        """Distribution function; the middle of the step where it is discrete."""
        frozen = self._frozen()
        share = float(frozen.cdf(value))
        return max(share - float(frozen.pmf(value)) / 2, 0.0) if self.discrete else share

    def contains(self, value: object) -> bool:
        """Whether `value` is finite and lies in the support."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if not _is_finite(value) or (self.discrete and not isinstance(value, int)):
            return False
        return self._ends[0] <= value <= self._ends[1]


@strict_dataclass
class Integer(Dimension):
    """Whole numbers from `low` to `high`, both ends included and as likely as the others.

    With `log`, k is as likely as the interval from k - 1/2 to k + 1/2 under a log-uniform law.
    """

    low: StrictInt
    high: StrictInt
    log: StrictBool = Field(default=False, kw_only=True)
    step: Annotated[StrictInt, Field(ge=1)] = Field(default=1, kw_only=True)
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
        _check_range("integer", self.low, self.high)
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
        """Range and step, for people."""
        return f"{self.low} to {self.high}" + (f" step {self.step}" if self.step > 1 else "")


@strict_dataclass
class Choice(Dimension):
    """One of the `values`: numbers, strings or booleans, equally likely unless weighted."""

    values: Annotated[list[Value], Field(min_length=1)]
    weights: list[Annotated[Number, Field(gt=0)]] | None = Field(default=None, kw_only=True)
    ordered: StrictBool = Field(default=False, kw_only=True)
    distribution: Literal["choice"] = Field(default="choice", kw_only=True)

    def __post_init__(self) -> None:
        for i, value in enumerate(self.values):
            if any(same(value, other) for other in self.values[:i]):
                raise ValueError(f"a choice needs distinct values, got {value!r} twice; drop one")
            if not _is_finite(value):
                raise ValueError(f"a choice needs finite numbers, got {value!r:.40}; drop it")
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
        if self.weights:  # divided first, for their sum must not overflow
            weights = [weight / max(self.weights) for weight in self.weights]
        total = math.fsum(weights)
        return [math.fsum(weights[:i]) / total for i in range(len(weights))] + [1.0]

    def from_unit(self, unit: float) -> Any:
        """The value whose share of the unit interval holds `unit`."""
        for value, edge in zip(self.values, self._edges[1:], strict=True):
            if unit < edge:
                return value
        return self.values[-1]

    def to_unit(self, value: Any) -> float:
        """The middle of the value's share of the unit interval."""
        index = next((i for i, known in enumerate(self.values) if same(known, value)), None)
        if index is None:
            raise ValueError(f"must be one of {self.support()}, got {value!r}; correct it")
        return (self._edges[index] + self._edges[index + 1]) / 2

    def contains(self, value: object) -> bool:
        """Whether `value` is one of the values."""
        return any(same(known, value) for known in self.values)

    def support(self) -> str:
        """The values, for people."""
        return ", ".join(str(value) for value in self.values)


@strict_dataclass
class Fixed(Dimension):
    """A single value: part of every trial, searched by none."""

    value: Value
    distribution: Literal["fixed"] = Field(default="fixed", kw_only=True)

    def __post_init__(self) -> None:
        if not _is_finite(self.value):
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
        """The value, for people."""
        return str(self.value)


def _spelled_out(given: object) -> object:
    """A bare list is a choice, a bare value is fixed."""
    if isinstance(given, list | tuple):
        return {"distribution": "choice", "values": list(given)}
    if isinstance(given, bool | int | float | str):
        return {"distribution": "fixed", "value": given}
    return given


AnyDimension = Annotated[
    Annotated[
        Uniform
        | LogUniform
        | Normal
        | LogNormal
        | TruncatedNormal
        | Scipy
        | Integer
        | Choice
        | Fixed,
        Field(discriminator="distribution"),
    ],
    BeforeValidator(
        _spelled_out,
        json_schema_input_type=Uniform
        | LogUniform
        | Normal
        | LogNormal
        | TruncatedNormal
        | Scipy
        | Integer
        | Choice
        | Fixed
        | Annotated[list[Value], Field(min_length=1)]
        | Value,
    ),
]


class Space(RootModel[dict[str, AnyDimension]]):
    """Named dimensions, some of which may exist only where others have certain values."""

    model_config = ConfigDict(frozen=True)

    @model_validator(mode="after")
    def _conditions_make_sense(self) -> Space:
        for name, dimension in self.items():
            if not re.fullmatch(r"[\w.-]+", name):  # MLflow takes few others
                raise ValueError(
                    "a hyperparameter's name must be letters, digits, '_', '-' and '.', "
                    f"got {name!r}; rename it"
                )
            for parent, wanted in (dimension.when or {}).items():
                self._check_condition(name, parent, wanted)
        try:
            self.order  # noqa: B018 - sorting finds the cycles
        except CycleError as error:
            circle = " -> ".join(error.args[1])
            raise ValueError(
                f"conditions must not run in a circle, got {circle}; drop one `when`"
            ) from None
        return self

    def _check_condition(self, name: str, parent: str, wanted: Any) -> None:
        if parent not in self.root:
            raise ValueError(
                f"{name}: when must name another dimension, got {parent!r}; "
                f"the space has: {', '.join(self.root)}"
            )
        values = wanted if isinstance(wanted, list) else [wanted]
        never = [value for value in values if not self.root[parent].contains(value)]
        if never or not values:
            raise ValueError(
                f"{name}: when needs values that {parent!r} can take, got {wanted!r}; "
                f"it takes {self.root[parent].support()}"
            )

    @functools.cached_property
    def order(self) -> tuple[str, ...]:
        """Names such that every dimension follows those its condition looks at."""
        graph = {name: list(dimension.when or {}) for name, dimension in self.root.items()}
        return tuple(TopologicalSorter(graph).static_order())

    def __len__(self) -> int:
        return len(self.root)

    def __getitem__(self, name: str) -> Dimension:
        return self.root[name]

    def __contains__(self, name: object) -> bool:
        return name in self.root

    def names(self) -> list[str]:
        """The dimensions' names as given."""
        return list(self.root)

    def items(self) -> Iterator[tuple[str, Dimension]]:
        """Names and dimensions as given."""
        return iter(self.root.items())

    def is_active(self, name: str, params: Params) -> bool:
        """Whether dimension `name` exists beside `params`, which hold what it depends on."""
        for parent, wanted in (self.root[name].when or {}).items():
            values: Sequence[Any] = wanted if isinstance(wanted, list) else [wanted]
            if parent not in params or not any(same(params[parent], value) for value in values):
                return False
        return True

    def from_units(self, units: Mapping[str, float]) -> dict[str, Any]:
        """The configuration at these quantiles; inactive dimensions are absent."""
        found: dict[str, Any] = {}
        for name in self.order:
            if self.is_active(name, found):
                found[name] = self.root[name].from_unit(units[name])
        return {name: found[name] for name in self.root if name in found}

    def to_units(self, params: Params) -> dict[str, float]:
        """Where each hyperparameter of a configuration lies in its unit interval."""
        return {name: self[name].to_unit(value) for name, value in params.items()}

    def sample(self, rng: Generator) -> dict[str, Any]:
        """One configuration drawn from the distributions; uses one number per dimension."""
        return self.from_units(
            dict(zip(self.root, rng.random(len(self.root)).tolist(), strict=True))
        )

    def contains(self, params: Params) -> bool:
        """Whether exactly the active dimensions are there, each with a value of its own."""
        active = {name for name in self.root if self.is_active(name, params)}
        return active == set(params) and all(
            self.root[name].contains(value) for name, value in params.items()
        )
