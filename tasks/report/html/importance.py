"""How much each hyperparameter matters: functional ANOVA of the model's posterior.

A function on the unit cube of the distributions' quantiles is a sum of a constant, main effects,
effects of pairs and of more; its variance is the sum of theirs (Hoeffding; Hutter, Hoos &
Leyton-Brown, An Efficient Approach for Assessing Hyperparameter Importance, 2014). Each share is
computed of many functions that are drawn from the posterior, so it has an interval: what is
unknown of the function is unknown of the share. Hyperparameters that exist under a condition are
part of the cube everywhere and change nothing where they are inactive.

Shares are of the model's scale, on which a loss may count by its logarithm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from nettuner.models.arrays import Floats
from nettuner.tasks.report.html.surrogate import SEED, Surrogate
from nettuner.tasks.strategies.bayesian.axis import Axis
from nettuner.tasks.strategies.bayesian.paths import Paths

# Functions drawn from the posterior.
FUNCTIONS = 32
# Points of the cube for the variance of all.
POINTS = 2048
# Places of one hyperparameter, and points that its effect at each is a mean over.
PLACES, AROUND = 12, 64
# The same for pairs, of which all of the first few hyperparameters are looked at.
PAIR_PLACES, PAIR_AROUND, PAIRED = 8, 32, 5
# Most hyperparameters that are looked at in detail.
SHOWN = 12
# Quantiles that the probabilities of listed values are counted at.
FINE = 1024
# Ends of the intervals.
LOW, HIGH = 0.05, 0.95


@dataclass(frozen=True)
class Share:
    """A share of the variance: its median over functions, and the ends of its interval."""

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, drawn: Floats) -> Share:
        """The share of each function; shape [functions]."""
        low, middle, high = np.quantile(drawn, [LOW, 0.5, HIGH])
        return cls(float(middle), float(low), float(high))


@dataclass(frozen=True)
class Places:
    """Some places of a dimension.

    Args:
        numbers: Indices of listed values, else positions on the axis; shape [places].
        weights: Their probabilities; shape [places].
        every: Whether they are all values of the dimension.
    """

    numbers: Floats
    weights: Floats
    every: bool


@dataclass(frozen=True)
class Effect:
    """The mean score along one hyperparameter, over all others, where it is active.

    Args:
        places: Places of the hyperparameter.
        mean, low, high: Scores; the middle and the ends of the interval of the functions' means.
            Shape [places].
    """

    places: Places
    mean: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Importance:
    """Shares of the variance that hyperparameters have.

    Args:
        total: Share of each with all it takes part in, the largest first.
        main: Share of each alone.
        effects: Effect of each; of the first few.
        pairs: Share of each pair beyond what both have alone, the largest first.
    """

    total: dict[str, Share]
    main: dict[str, Share]
    effects: dict[str, Effect]
    pairs: dict[tuple[str, str], Share]


def importance(model: Surrogate) -> Importance:
    """The importance of every hyperparameter that is searched."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        return _Cube(model).importance()


def places_of(axis: Axis, most: int) -> Places:
    """Places of a dimension that stand for all of it: few listed values, else quantiles."""
    if axis.levels is not None and len(axis.levels) <= most:
        fine = [axis.dimension.from_unit((k + 0.5) / FINE) for k in range(FINE)]
        found = [int(axis.number(value)) for value in fine]
        counts = np.bincount(found, minlength=len(axis.levels))
        return Places(np.arange(len(axis.levels), dtype=float), counts / counts.sum(), True)
    numbers = axis.drawn((np.arange(most) + 0.5) / most)
    return Places(numbers, np.full(most, 1 / most), False)


class _Cube:
    """Functions of the posterior on the cube of a space."""

    def __init__(self, model: Surrogate) -> None:
        self.model = model
        self.rng: Generator = np.random.default_rng(SEED)
        self.coordinates = model.coordinates
        self.functions = Paths(model.process, FUNCTIONS, self.rng)
        # A function that is flat has no variance to share.
        self.variance = np.maximum(self._values(self._points(POINTS)).var(axis=0), 1e-12)

    def importance(self) -> Importance:
        found = {name: self._alone(name) for name in self.coordinates.searched}
        ordered = sorted(found, key=lambda name: -float(np.median(found[name][0])))
        first = ordered[:SHOWN]
        pairs = {
            (one, other): Share.of(self._together(one, other))
            for place, one in enumerate(first[:PAIRED])
            for other in first[place + 1 : PAIRED]
        }
        return Importance(
            {name: Share.of(found[name][0]) for name in ordered},
            {name: Share.of(found[name][1]) for name in ordered},
            {name: found[name][2] for name in first},
            dict(sorted(pairs.items(), key=lambda pair: -pair[1].middle)),
        )

    def _alone(self, name: str) -> tuple[Floats, Floats, Effect]:
        """The shares of a hyperparameter in all and alone, of each function, and its effect."""
        place = self.coordinates.place[name]
        places = places_of(self.coordinates.axes[place], PLACES)
        around = self._points(AROUND)
        points = np.tile(around, (len(places.numbers), 1))
        points[:, place] = np.repeat(places.numbers, AROUND)
        values = self._values(points).reshape(len(places.numbers), AROUND, FUNCTIONS)
        total = _variance(values, places.weights).mean(axis=0) / self.variance
        main = _variance(values.mean(axis=1), places.weights) / self.variance
        active = ~np.isnan(self.coordinates.masked(around)[:, place])
        means = values[:, active if active.any() else slice(None)].mean(axis=1)
        low, middle, high = np.quantile(self.model.score(means), [LOW, 0.5, HIGH], axis=1)
        return np.minimum(total, 1.0), np.minimum(main, 1.0), Effect(places, middle, low, high)

    def _together(self, one: str, other: str) -> Floats:
        """The share that two hyperparameters have beyond what each has alone."""
        table, (first, second) = self._table(one, other)
        rows = np.einsum("ijf,j->if", table, second.weights)[:, None]
        columns = np.einsum("ijf,i->jf", table, first.weights)[None]
        overall = np.einsum("if,i->f", rows[:, 0], first.weights)
        beyond = table - rows - columns + overall
        weights = np.outer(first.weights, second.weights)
        found: Floats = np.einsum("ijf,ij->f", beyond**2, weights) / self.variance
        return np.minimum(found, 1.0)

    def _table(self, one: str, other: str) -> tuple[Floats, tuple[Places, Places]]:
        """Means of each function at places of a pair; shape [places, places, functions]."""
        i, j = self.coordinates.place[one], self.coordinates.place[other]
        first = places_of(self.coordinates.axes[i], PAIR_PLACES)
        second = places_of(self.coordinates.axes[j], PAIR_PLACES)
        around = self._points(PAIR_AROUND)
        shape = (len(first.numbers), len(second.numbers), PAIR_AROUND)
        points = np.tile(around, (shape[0] * shape[1], 1))
        points[:, i] = np.repeat(first.numbers, shape[1] * PAIR_AROUND)
        points[:, j] = np.tile(np.repeat(second.numbers, PAIR_AROUND), shape[0])
        return self._values(points).reshape(*shape, FUNCTIONS).mean(axis=2), (first, second)

    def _points(self, count: int) -> Floats:
        """Points of a Latin hypercube: each quantile of each dimension is there once."""
        shape = (count, len(self.coordinates.names))
        ranks = self.rng.permuted(np.tile(np.arange(count)[:, None], shape[1]), axis=0)
        return self.coordinates.drawn((ranks + self.rng.random(shape)) / count)

    def _values(self, points: Floats) -> Floats:
        return self.functions(self.model.columns(points))


def _variance(means: Floats, weights: Floats) -> Floats:
    """Weighted variance over the first axis."""
    centre = np.tensordot(weights, means, axes=1)
    found: Floats = np.tensordot(weights, (means - centre) ** 2, axes=1)
    return found
