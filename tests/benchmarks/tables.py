"""Problems from the losses at every point of a grid."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from problem import DATA, Dimensions, Params, Problem, as_it_is

TABLES = DATA / "hpo_tables"

Place = Callable[[Params], tuple[int, ...]]


def grid_of(axes: Mapping[str, list[Any]]) -> tuple[Dimensions, Place]:
    """The space of a grid, in which words are unordered choices, and the index of a point."""
    space: Dimensions = {
        axis: {
            "distribution": "choice",
            "values": values,
            "ordered": not any(isinstance(value, str) for value in values),
        }
        for axis, values in axes.items()
    }
    places = {axis: {value: i for i, value in enumerate(axes[axis])} for axis in axes}

    def place(params: Params) -> tuple[int, ...]:
        return tuple(places[axis][params[axis]] for axis in axes)

    return space, place


def of_grid(
    name: str,
    axes: Mapping[str, list[Any]],
    losses: np.ndarray,
    scale: Callable[[Any], Any] = as_it_is,
) -> Problem:
    """A problem from the losses at every point of a grid."""
    space, place = grid_of(axes)

    def loss(params: Params) -> float:
        return float(losses[place(params)])

    return Problem(name, space, loss, float(losses.min()), float(np.median(losses)), scale)


def table(name: str) -> tuple[dict[str, list[Any]], np.ndarray]:
    """The axes of a table of precomputed results, and its losses; the last axis is repetitions."""
    described = json.loads((TABLES / "meta.json").read_text(encoding="utf-8"))[name]
    with np.load(TABLES / f"{name}.npz") as file:
        values = file["y"].astype(float)
    return described["params"], -values if described["direction"] == "maximize" else values


def mean_table(name: str, scale: Callable[[Any], Any] = as_it_is) -> Problem:
    """A table whose losses are the means of its repetitions."""
    axes, losses = table(name)
    return of_grid(name, axes, np.nanmean(losses, axis=-1), scale)


def mean_tables(
    names: tuple[str, ...], scale: Callable[[Any], Any] = as_it_is
) -> dict[str, Callable[[], Problem]]:
    """Tables by name."""
    return {name: lambda name=name: mean_table(name, scale) for name in names}
