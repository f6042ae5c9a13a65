"""The search space: every dimension is a distribution between the unit interval and its values.

`from_unit` is the quantile function and `to_unit` the cumulative distribution function (CDF). One
pair of methods serves sampling (`from_unit(rng.random())`), grids (`from_unit` of evenly spaced
u), surrogate models (fitted on `to_unit`) and perturbations in a population (made in u).
Values that leave a dimension are plain `int`, `float`, `str` or `bool`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, RootModel, model_validator

from nettuner.models.space.dimension import Dimension, Number, Params, Value, same
from nettuner.models.space.discrete import Choice, Fixed, Integer
from nettuner.models.space.reals import LogNormal, LogUniform, Normal, TruncatedNormal, Uniform
from nettuner.models.space.scipy_dimension import Scipy

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = [
    "AnyDimension",
    "Choice",
    "Dimension",
    "Fixed",
    "Integer",
    "LogNormal",
    "LogUniform",
    "Normal",
    "Number",
    "Params",
    "Scipy",
    "Space",
    "TruncatedNormal",
    "Uniform",
    "Value",
    "same",
]


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


NAME = r"[\w-][\w.-]{0,99}"


class Space(RootModel[dict[str, AnyDimension]]):
    """Named dimensions, some of which may exist only where others have certain values."""

    model_config = ConfigDict(frozen=True)

    @model_validator(mode="after")
    def _conditions_make_sense(self) -> Space:
        for name, dimension in self.items():
            if not re.fullmatch(NAME, name):  # MLflow takes few others
                raise ValueError(
                    "a hyperparameter's name must be at most 100 letters, digits, '_', '-' and "
                    f"'.', not beginning with '.', got {name[:120]!r}; rename it"
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
        """Names in topological order: every dimension follows those its condition depends on."""
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
        """Whether dimension `name` is active given `params`, which hold those it depends on."""
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

    def sample(self, rng: Generator) -> dict[str, Any]:
        """One configuration drawn from the distributions; uses one number per dimension."""
        return self.from_units(
            dict(zip(self.root, rng.random(len(self.root)).tolist(), strict=True))
        )

    def contains(self, params: Params) -> bool:
        """Whether exactly the active dimensions are given, each with a valid value."""
        active = {name for name in self.root if self.is_active(name, params)}
        return active == set(params) and all(
            self.root[name].contains(value) for name, value in params.items()
        )
