"""A search space as numbers: what a surrogate model sees, and candidates are moved about in.

A *point* has one number per dimension of the space: the position of the value where all values
can be listed, the unit interval's number where they cannot, NaN where the dimension does not
exist beside the others. So two points are the same configuration if and only if they are equal,
however finely the distributions of listed values squeeze these together.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.random import Generator

from models.space import Params, Space, same

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

# Where an inactive dimension is put: as far from all of its values as from each other.
MIDDLE = 0.5
# Points of unbounded distributions keep this far from 0 and 1 when they are moved.
TAIL = 0.001
# A longer list of values is not tried out one by one beside a good point, only its neighbours.
FEW = 12


def identity(params: Params) -> Hashable:
    """A configuration as something that sets can hold; keeps True apart from 1."""
    return frozenset((name, isinstance(value, bool), value) for name, value in params.items())


class Coordinates:
    """Translates between configurations, points, and the columns of a surrogate model."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.names = space.names()
        self.place = {name: i for i, name in enumerate(self.names)}
        self.levels: list[tuple[Any, ...] | None] = [d.levels for _, d in space.items()]
        self.ordered = [dimension.is_ordered for _, dimension in space.items()]
        # Where each listed value lies in the unit interval.
        self.middles = [
            np.array([dimension.to_unit(level) for level in levels or ()])
            for (_, dimension), levels in zip(space.items(), self.levels, strict=True)
        ]
        self._positions: list[Mapping[Hashable, int]] = [
            {(isinstance(level, bool), level): i for i, level in enumerate(levels or ())}
            for levels in self.levels
        ]

    @property
    def searched(self) -> list[str]:
        """The dimensions that have more than one value."""
        pairs = zip(self.names, self.levels, strict=True)
        return [name for name, levels in pairs if levels is None or len(levels) > 1]

    def points(self, configurations: Iterable[Params]) -> Floats:
        """Shape [configurations, dimensions]."""
        rows = [[self._number(name, params) for name in self.names] for params in configurations]
        return np.array(rows, dtype=float).reshape(len(rows), len(self.names))

    def _number(self, name: str, params: Params) -> float:
        if name not in params:
            return np.nan
        value, i = params[name], self.place[name]
        if self.levels[i] is None:
            return self.space[name].to_unit(value)
        return self._positions[i][isinstance(value, bool), value]

    def params(self, point: Floats) -> dict[str, Any]:
        """The configuration at a point; plain Python values."""
        found: dict[str, Any] = {}
        for name, levels, number in zip(self.names, self.levels, point.tolist(), strict=True):
            if levels is not None and number == number:  # not NaN
                found[name] = levels[int(number)]
            elif number == number:
                found[name] = self.space[name].from_unit(number)
        return found

    def drawn(self, units: Floats) -> Floats:
        """Points at these quantiles, every dimension present; shape [n, dimensions]."""
        points = units.copy()
        for i, middles in enumerate(self.middles):
            if len(middles):
                points[:, i] = np.searchsorted((middles[1:] + middles[:-1]) / 2, units[:, i])
        return points

    def masked(self, points: Floats) -> Floats:
        """The points with NaN for every dimension that does not exist beside the others."""
        points = points.copy()
        for name in self.space.order:
            for parent, wanted in (self.space[name].when or {}).items():
                values = wanted if isinstance(wanted, list) else [wanted]
                active = self._has(points[:, self.place[parent]], parent, values)
                points[~active, self.place[name]] = np.nan
        return points

    def _has(self, numbers: Floats, name: str, values: Sequence[Any]) -> Bools:
        """Where the dimension exists and has one of these values."""
        levels = self.levels[self.place[name]]
        if levels is None:
            found = [self.space[name].from_unit(x) if x == x else None for x in numbers.tolist()]
            return np.array([any(same(x, value) for value in values) for x in found], dtype=bool)
        wanted = [i for i, x in enumerate(levels) if any(same(x, value) for value in values)]
        return np.isin(numbers, wanted)

    def nearby(self, points: Floats, radius: float, rng: Generator) -> Floats:
        """One random neighbour of each point: about two dimensions of it are moved.

        Args:
            points: Shape [n, dimensions].
            radius: Standard deviation of a move as a share of the unit interval; listed values
                move by at least one, unordered ones to any other.
            rng: Drawn from equally often, whatever the points are.
        """
        shape = points.shape
        base = np.where(np.isnan(points), self.drawn(rng.random(shape)), points)
        step, which, chosen = rng.normal(0, radius, shape), rng.random(shape), rng.random(shape)
        changed = chosen <= np.maximum(2 / shape[1], chosen.min(axis=1, keepdims=True))
        for i, name in enumerate(self.names):
            levels, old = self.levels[i], base[:, i]
            if levels is None:
                edge = 0.0 if self.space[name].bounded else TAIL
                new = np.clip(old + step[:, i], edge, 1 - edge)
            elif self.ordered[i]:
                size = np.maximum(np.rint(np.abs(step[:, i]) * len(levels)), 1)
                new = np.clip(old + np.copysign(size, step[:, i]), 0, len(levels) - 1)
            else:
                new = (old + 1 + np.floor(which[:, i] * (len(levels) - 1))) % len(levels)
            base[:, i] = np.where(changed[:, i], new, old)
        return self.masked(base)

    def flips(self, points: Floats, rng: Generator) -> Floats:
        """Every point that differs from one of these in a single listed value."""
        base = np.where(np.isnan(points), self.drawn(rng.random(points.shape)), points)
        found = [base[:0]]
        for i, levels in enumerate(self.levels):
            if levels is None:
                continue
            near = range(1, len(levels)) if len(levels) <= FEW else (1, len(levels) - 1)
            for shift in near:
                other = base.copy()
                other[:, i] = (other[:, i] + shift) % len(levels)
                found.append(other)
        return self.masked(np.concatenate(found))

    def columns(self, points: Floats) -> Floats:
        """What the surrogate sees, all in [0, 1]; shape [n, columns].

        One column per ordered dimension and for a choice of two, one per value of a larger
        unordered choice. Dimensions with one value have none. An inactive dimension lies in the
        middle; that it is inactive shows in the columns of those its condition looks at.
        """
        found = []
        for i, levels in enumerate(self.levels):
            numbers = points[:, i]
            off = np.isnan(numbers)
            if levels is None:
                found.append(np.where(off, MIDDLE, numbers))
            elif len(levels) > 1:
                index = np.where(off, 0, numbers).astype(int)
                if self.ordered[i]:
                    columns = [self.middles[i][index]]
                elif len(levels) == 2:
                    columns = [index.astype(float)]
                else:
                    # Two different values are 1 apart, as the ends of an ordered dimension.
                    columns = [(index == k) * 0.5**0.5 for k in range(len(levels))]
                found += [np.where(off, MIDDLE, column) for column in columns]
        return np.stack(found, axis=1) if found else np.zeros((len(points), 0))
