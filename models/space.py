"""The search space: every dimension is a distribution between the unit interval and its values.

`from_unit` is a quantile function and `to_unit` the matching distribution function, so one pair
of methods serves sampling (`from_unit(rng.random())`), grids (`from_unit` of evenly spaced u),
surrogate models (which see `to_unit`) and steps of a population (taken in u, then mapped back).
Values that leave a dimension are plain `int`, `float`, `str` or `bool`.
"""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from statistics import NormalDist
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
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

Value = StrictBool | StrictInt | StrictFloat | StrictStr
Params = Mapping[str, bool | int | float | str]
Number = Annotated[StrictInt | StrictFloat, Field(allow_inf_nan=False)]
Condition = dict[str, Value | list[Value]]

# Quantile functions of unbounded distributions are infinite at 0 and 1.
SMALLEST = 2.0**-40
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
        if self.levels is not None and (not self.is_ordered or len(self.levels) <= resolution):
            return list(self.levels)
        if resolution == 1:
            units = [0.5]
        elif self.bounded:
            units = [i / (resolution - 1) for i in range(resolution)]
        else:
            units = [(i + 0.5) / resolution for i in range(resolution)]
        return list(dict.fromkeys(self.from_unit(unit) for unit in units))

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
        return self.from_unit(0.0) <= value <= self.from_unit(1.0)


def _check_range(kind: str, low: float, high: float) -> None:
    if low >= high:
        raise ValueError(
            f"{kind} needs low < high, got low={low:g}, high={high:g}; "
            + ("swap them" if low > high else "give a single value to fix it")
        )


@strict_dataclass
class Uniform(Real):
    """Every value between `low` and `high` is equally likely."""

    low: Number
    high: Number
    distribution: Literal["uniform"] = Field(default="uniform", kw_only=True)

    def __post_init__(self) -> None:
        _check_range("uniform", self.low, self.high)

    def from_unit(self, unit: float) -> float:
        """Linear interpolation from low to high."""
        return float(min(max(self.low + unit * (self.high - self.low), self.low), self.high))

    def to_unit(self, value: float) -> float:
        """The share of the range below `value`."""
        return min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)


@strict_dataclass
class LogUniform(Real):
    """Every order of magnitude between `low` and `high` is equally likely."""

    low: Number
    high: Number
    distribution: Literal["log-uniform"] = Field(default="log-uniform", kw_only=True)

    def __post_init__(self) -> None:
        if self.low <= 0:
            raise ValueError(
                f"a log scale needs low > 0, got low={self.low:g}; raise low or use uniform"
            )
        _check_range("log-uniform", self.low, self.high)

    def from_unit(self, unit: float) -> float:
        """Linear interpolation of the logarithms."""
        value = math.exp(math.log(self.low) + unit * math.log(self.high / self.low))
        return float(min(max(value, self.low), self.high))

    def to_unit(self, value: float) -> float:
        """The share of the logarithmic range below `value`."""
        return min(max(math.log(value / self.low) / math.log(self.high / self.low), 0.0), 1.0)


def _inside(unit: float) -> float:
    return min(max(unit, SMALLEST), 1 - SMALLEST)


@strict_dataclass
class Normal(Real):
    """Gaussian: `mean` is likeliest, about two thirds lie within one `std` of it."""

    mean: Number
    std: Annotated[Number, Field(gt=0)]
    distribution: Literal["normal"] = Field(default="normal", kw_only=True)

    @property
    def bounded(self) -> bool:
        """Never: the tails are infinite."""
        return False

    def from_unit(self, unit: float) -> float:
        """Quantile of the Gaussian."""
        return NormalDist(self.mean, self.std).inv_cdf(_inside(unit))

    def to_unit(self, value: float) -> float:
        """Distribution function of the Gaussian."""
        return NormalDist(self.mean, self.std).cdf(value)


@strict_dataclass
class LogNormal(Real):
    """The natural logarithm is Gaussian; `median` is likeliest on a log scale.

    Two thirds of the values lie between `median / factor` and `median * factor`.
    """

    median: Annotated[Number, Field(gt=0)]
    factor: Annotated[Number, Field(gt=1)]
    distribution: Literal["log-normal"] = Field(default="log-normal", kw_only=True)

    @property
    def bounded(self) -> bool:
        """Never: the upper tail is infinite."""
        return False

    def _logarithm(self) -> NormalDist:
        return NormalDist(math.log(self.median), math.log(self.factor))

    def from_unit(self, unit: float) -> float:
        """Quantile: the exponential of the Gaussian's."""
        return math.exp(self._logarithm().inv_cdf(_inside(unit)))

    def to_unit(self, value: float) -> float:
        """Distribution function of the logarithm."""
        return self._logarithm().cdf(math.log(value))


@functools.lru_cache(maxsize=256)
def _frozen(name: str, args: tuple[tuple[str, float], ...]) -> Any:
    from scipy import stats  # takes most of a second, and few studies need it

    family = getattr(stats, name, None)
    if not isinstance(family, stats.rv_continuous | stats.rv_discrete):
        raise ValueError(
            f"scipy.stats has no distribution named {name!r}; "
            "see its reference for the names, for example beta, gamma, poisson"
        )
    known = [shape.strip() for shape in (family.shapes or "").split(",") if shape.strip()]
    known += ["loc"] + (["scale"] if isinstance(family, stats.rv_continuous) else [])
    given = dict(args)
    wrong = sorted(set(given) - set(known))
    missing = [shape for shape in known if shape not in ("loc", "scale") and shape not in given]
    if wrong or missing:
        got = f"unknown {', '.join(wrong)}" if wrong else f"missing {', '.join(missing)}"
        raise ValueError(f"scipy.stats.{name} takes {', '.join(known)}; {got}; correct args")
    frozen = family(**given)
    if not math.isfinite(float(frozen.ppf(0.5))):
        raise ValueError(
            f"scipy.stats.{name} is undefined for {given}; give values inside its domain"
        )
    return frozen


@strict_dataclass
class TruncatedNormal(Real):
    """Gaussian cut off at `low` and `high`; `mean` may lie outside of them."""

    mean: Number
    std: Annotated[Number, Field(gt=0)]
    low: Number
    high: Number
    distribution: Literal["truncated-normal"] = Field(default="truncated-normal", kw_only=True)

    def __post_init__(self) -> None:
        _check_range("truncated-normal", self.low, self.high)

    def _frozen(self) -> Any:
        args = {
            "a": (self.low - self.mean) / self.std,
            "b": (self.high - self.mean) / self.std,
            "loc": self.mean,
            "scale": self.std,
        }
        return _frozen("truncnorm", tuple(args.items()))

    def from_unit(self, unit: float) -> float:
        """Quantile, never outside the bounds."""
        return min(max(float(self._frozen().ppf(unit)), float(self.low)), float(self.high))

    def to_unit(self, value: float) -> float:
        """Distribution function."""
        return float(self._frozen().cdf(value))


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

    @property
    def bounded(self) -> bool:
        """Whether both ends are finite and may be tried."""
        frozen = self._frozen()
        ends = frozen.support()
        if not all(math.isfinite(end) for end in ends):
            return False
        return self.discrete or all(math.isfinite(frozen.pdf(end)) for end in ends)

    @property
    def levels(self) -> tuple[int, ...] | None:
        """The integers of a discrete distribution with few values."""
        if not self.discrete:
            return None
        first, last = self.from_unit(0.0), self.from_unit(1.0)
        return tuple(range(first, last + 1)) if last - first < MOST_LEVELS else None

    def from_unit(self, unit: float) -> Any:
        """Quantile: an int where the distribution is discrete, else a float."""
        value = float(self._frozen().ppf(_inside(unit)))
        return round(value) if self.discrete else value

    def to_unit(self, value: float) -> float:
        """Distribution function; the middle of the step where it is discrete."""
        frozen = self._frozen()
        if self.discrete:
            return float(frozen.cdf(value) - frozen.pmf(value) / 2)
        return float(frozen.cdf(value))

    def contains(self, value: object) -> bool:
        """Whether `value` lies in the support."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        low, high = self._frozen().support()
        return bool(low <= value <= high) and (not self.discrete or isinstance(value, int))


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
        if self.log:
            start, end = math.log(self.low - 0.5), math.log(self.high + 0.5)
            middle = (math.log(value - 0.5) + math.log(value + 0.5)) / 2
            return min(max((middle - start) / (end - start), 0.0), 1.0)
        return min(max(((value - self.low) / self.step + 0.5) / self._count, 0.0), 1.0)

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
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"a choice needs finite numbers, got {value!r}; drop it")
        if self.weights is not None and len(self.weights) != len(self.values):
            raise ValueError(
                f"a choice needs one weight per value, got {len(self.weights)} weights "
                f"for {len(self.values)} values; add or drop weights"
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
        weights = self.weights or [1.0] * len(self.values)
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
        index = next(i for i, known in enumerate(self.values) if same(known, value))
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
        | list[Value]
        | Value,
    ),
]


class Space(RootModel[dict[str, AnyDimension]]):
    """Named dimensions, some of which may exist only where others have certain values."""

    model_config = ConfigDict(frozen=True)

    @model_validator(mode="after")
    def _conditions_make_sense(self) -> Space:
        for name, dimension in self.items():
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
                f"{name}: when names {parent!r}, which is not a dimension; "
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
        graph = {name: set(dimension.when or {}) for name, dimension in self.root.items()}
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
        return {name: self.root[name].to_unit(value) for name, value in params.items()}

    def sample(self, rng: Generator) -> dict[str, Any]:
        """One configuration drawn from the distributions; uses one number per dimension."""
        return self.from_units(dict(zip(self.root, rng.random(len(self.root)).tolist(), strict=True)))

    def contains(self, params: Params) -> bool:
        """Whether exactly the active dimensions are there, each with a value of its own."""
        active = {name for name in self.root if self.is_active(name, params)}
        return active == set(params) and all(
            self.root[name].contains(value) for name, value in params.items()
        )
