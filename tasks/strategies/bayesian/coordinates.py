"""A search space as numbers: points for candidates, and columns for the surrogate model.

A *point* has one number per dimension of the space: the index of the value where all values can be
listed, else its position on the dimension's axis; NaN where the dimension is inactive. So two
points are equal if and only if their configurations are.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.random import Generator

from nettuner.models.arrays import Bools, Floats, Ints
from nettuner.models.space import Params, Space, same
from nettuner.tasks.strategies.bayesian.axis import axis_of

# What a column is: one value of a choice, a position on an axis, or whether there is none.
VALUE, POSITION, ABSENCE = "value", "position", "absence"
# Position of an inactive dimension on its axis, and distance from that axis: chosen so that it is
# about as far from each value as these are from each other.
MIDDLE = 0.5
BESIDE = 0.5
# Of longer lists only the neighbouring values are tried at a good point, not all.
FEW = 12


def identity(params: Params) -> Hashable:
    """A hashable form of a configuration; distinguishes True from 1."""
    return frozenset((name, isinstance(value, bool), value) for name, value in params.items())


class Coordinates:
    """Translates between configurations, points, and the columns of a surrogate model."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.names = space.names()
        self.place = {name: i for i, name in enumerate(self.names)}
        self.axes = [axis_of(dimension) for _, dimension in space.items()]
        self._conditional = [bool(dimension.when) for _, dimension in space.items()]

    @property
    def searched(self) -> list[str]:
        """The dimensions that have more than one value."""
        return [name for name, axis in zip(self.names, self.axes, strict=True) if axis.searched]

    def points(self, configurations: Iterable[Params]) -> Floats:
        """Points of configurations, shape [configurations, dimensions]; NaN where inactive."""
        axes = list(zip(self.names, self.axes, strict=True))
        rows = [
            [axis.number(params[name]) if name in params else np.nan for name, axis in axes]
            for params in configurations
        ]
        return np.array(rows, dtype=float).reshape(len(rows), len(self.names))

    def params(self, point: Floats) -> dict[str, Any]:
        """The configuration at a point; plain Python values."""
        numbers = zip(self.names, self.axes, point.tolist(), strict=True)
        return {name: axis.value(number) for name, axis, number in numbers if number == number}

    def drawn(self, units: Floats) -> Floats:
        """Points at these quantiles, every dimension present; shape [n, dimensions]."""
        columns = [axis.drawn(units[:, i]) for i, axis in enumerate(self.axes)]
        return np.stack(columns, axis=1) if columns else units

    def masked(self, points: Floats) -> Floats:
        """The points with NaN for every inactive dimension."""
        points = points.copy()
        for name in self.space.order:
            for parent, wanted in (self.space[name].when or {}).items():
                values = wanted if isinstance(wanted, list) else [wanted]
                active = self._has(points[:, self.place[parent]], parent, values)
                points[~active, self.place[name]] = np.nan
        return points

    def _has(self, numbers: Floats, name: str, values: Sequence[Any]) -> Bools:
        """Whether the dimension is active and has one of these values, for each point."""
        axis = self.axes[self.place[name]]
        if axis.levels is None:
            found = [axis.value(x) if x == x else None for x in numbers.tolist()]
            return np.array([any(same(x, value) for value in values) for x in found], dtype=bool)
        wanted = [i for i, x in enumerate(axis.levels) if any(same(x, value) for value in values)]
        return np.isin(numbers, wanted)

    def nearby(self, points: Floats, radius: float, rng: Generator) -> Floats:
        """One random neighbour of each point, with about two dimensions perturbed.

        Args:
            points: Points, shape [n, dimensions].
            radius: Standard deviation of a perturbation as a share of the axis; listed values move
                by at least one, unordered ones to any other.
            rng: Random generator; drawn from equally often whatever the points are.
        """
        shape = points.shape
        base = np.where(np.isnan(points), self.drawn(rng.random(shape)), points)
        step, which, chosen = rng.normal(0, radius, shape), rng.random(shape), rng.random(shape)
        changed = chosen <= np.maximum(2 / shape[1], chosen.min(axis=1, keepdims=True))
        for i, axis in enumerate(self.axes):
            old = base[:, i]
            if axis.levels is None:
                new = np.clip(old + step[:, i], 0, 1)
            elif axis.ordered:
                size = np.maximum(np.rint(np.abs(step[:, i]) * len(axis.levels)), 1)
                new = np.clip(old + np.copysign(size, step[:, i]), 0, len(axis.levels) - 1)
            else:
                new = (old + 1 + np.floor(which[:, i] * (len(axis.levels) - 1))) % len(axis.levels)
            base[:, i] = np.where(changed[:, i], new, old)
        return self.masked(base)

    def flips(self, points: Floats, rng: Generator) -> Floats:
        """Every point that differs from one of these in a single listed value."""
        base = np.where(np.isnan(points), self.drawn(rng.random(points.shape)), points)
        found = [base[:0]]
        for i, axis in enumerate(self.axes):
            if axis.levels is None:
                continue
            count = len(axis.levels)
            for shift in range(1, count) if count <= FEW else (1, count - 1):
                other = base.copy()
                other[:, i] = (other[:, i] + shift) % count
                found.append(other)
        return self.masked(np.concatenate(found))

    def columns(self, points: Floats) -> Floats:
        """Inputs of the surrogate model, all in [0, 1]; shape [n, columns].

        A dimension of numbers or ordered values is one column; an unordered choice has one for
        each of its values, so that any two are 1 apart. A dimension that may be inactive has one
        more, which is 0 while it is active. Dimensions with one value have no column.
        """
        found = [np.zeros((len(points), 0))]
        for i, (axis, conditional) in enumerate(zip(self.axes, self._conditional, strict=True)):
            if not axis.searched:
                continue
            numbers, off = points[:, i], np.isnan(points[:, i])
            if axis.levels is not None and not axis.ordered:
                found.append((numbers[:, None] == np.arange(len(axis.levels))) * 0.5**0.5)
                continue
            if axis.levels is not None:
                numbers = axis.middles[np.where(off, 0, numbers).astype(int)]
            found.append(np.where(off, MIDDLE, numbers)[:, None])
            if conditional:
                found.append(np.where(off, BESIDE, 0.0)[:, None])
        return np.concatenate(found, axis=1)

    @property
    def groups(self) -> Ints:
        """Index of the searched dimension of each column; shape [columns]."""
        widths = [len(kinds) for kinds in self._kinds()]
        return np.repeat(np.arange(len(widths)), widths)

    @property
    def positions(self) -> Ints:
        """Which columns are positions on an axis; shape [positions]."""
        return np.flatnonzero([kind == POSITION for kinds in self._kinds() for kind in kinds])

    @property
    def absences(self) -> Ints:
        """For each position the column that is 0 while it is there; -1 where it always is."""
        beside = [ABSENCE in kinds for kinds in self._kinds() if POSITION in kinds]
        return np.where(beside, self.positions + 1, -1)

    def _kinds(self) -> list[list[str]]:
        """What the columns of each searched dimension are."""
        found = []
        for axis, conditional in zip(self.axes, self._conditional, strict=True):
            if axis.searched and axis.levels is not None and not axis.ordered:
                found.append([VALUE] * len(axis.levels))
            elif axis.searched:
                found.append([POSITION, ABSENCE] if conditional else [POSITION])
        return found

    def log_prior(self, points: Floats) -> Floats:
        """Log prior density of each point, relative to its maximum; shape [n]."""
        total = np.zeros(len(points))
        for i, axis in enumerate(self.axes):
            off = np.isnan(points[:, i])
            numbers = np.where(off, 0.0, points[:, i])
            total += np.where(off, 0.0, axis.log_prior(numbers))
        return total
