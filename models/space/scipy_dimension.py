"""Any distribution of `scipy.stats` as a dimension."""

from __future__ import annotations

import functools
import math
from typing import Annotated, Any, Literal

from pydantic import Field

from nettuner.models.space.dimension import (
    MOST_LEVELS,
    Dimension,
    Number,
    inside,
    is_finite,
    strict_dataclass,
)

# Quantile functions of discrete distributions search step by step, so tails are cut early.
SMALLEST_DISCRETE = 2.0**-20


@functools.lru_cache(maxsize=256)
def _frozen(name: str, args: tuple[tuple[str, float], ...]) -> Any:
    from scipy import stats  # slow to import, and few studies need it

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

    name: Annotated[str, Field(description="Of the distribution, such as beta.")]
    args: Annotated[
        dict[str, Number], Field(description="Its arguments by name, such as a, b, loc, scale.")
    ] = Field(default_factory=dict)
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
        """The integers of a discrete distribution with few values, without its extreme tails."""
        if not self.discrete:
            return None
        first, last = self.from_unit(0.0), self.from_unit(1.0)
        return tuple(range(first, last + 1)) if last - first < MOST_LEVELS else None

    def from_unit(self, unit: float) -> Any:
        """Quantile: an int where the distribution is discrete, else a float."""
        if self.discrete:
            return round(float(self._frozen().ppf(inside(unit, SMALLEST_DISCRETE))))
        if self.bounded and not 0 < unit < 1:
            return self._ends[0] if unit <= 0 else self._ends[1]
        value = float(self._frozen().ppf(inside(unit)))
        return min(max(value, self._ends[0]), self._ends[1])

    def to_unit(self, value: float) -> float:
        """The CDF; the middle of the step where it is discrete."""
        frozen = self._frozen()
        share = float(frozen.cdf(value))
        return max(share - float(frozen.pmf(value)) / 2, 0.0) if self.discrete else share

    def contains(self, value: object) -> bool:
        """Whether `value` is finite and lies in the support."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if not is_finite(value) or (self.discrete and not isinstance(value, int)):
            return False
        return self._ends[0] <= value <= self._ends[1]
