"""What a Gaussian process expects far from its data: a level, slopes, and a bowl.

Basis functions with normally distributed weights; integrating over these adds a mean and a
covariance to the process, so the data overrule what is believed without any fit. Where networks
get better up to the end of a range, a slope says so before anything was tried there; where an
optimum lies inside, as people put ranges round what they expect, the bowl does.

Source: Rasmussen & Williams, Gaussian Processes for Machine Learning (2006), section 2.7.
"""

from __future__ import annotations

import math

import numpy as np

from nettuner.models.arrays import Floats, Ints

# Prior variance of the targets' mean; the targets have variance 1.
LEVEL = 1.0
# Prior variances of all slopes together and of the bowl: what they explain of the targets'
# variance, on average, where positions are spread evenly.
SLOPES, BOWL = 0.5, 0.3
# Prior mean of the bowl's weight, in standard deviations of the targets: worse towards the ends.
BELIEF = 0.3
# Variance of a position that is spread evenly from 0 to 1, and of its squared distance from 1/2.
OF_POSITION, OF_SQUARE = 1 / 12, 1 / 180


class Trend:
    """The mean of a process before any data, and the covariance of what is unknown of it.

    Args:
        positions: Which columns are positions on an axis; the others have no trend. Shape
            [positions].
        absences: For each of them the column that is 0 while it is there, where it may be absent,
            else -1; what is absent is neither at an end nor in the middle. Shape [positions].
    """

    def __init__(self, positions: Ints, absences: Ints) -> None:
        self._positions, self._absences = positions, absences
        count = max(len(positions), 1)
        self._slope = SLOPES / OF_POSITION / count
        self._bowl = 1 / math.sqrt(OF_SQUARE * count)

    def mean(self, columns: Floats) -> Floats:
        """Expected targets at some inputs; shape [n]."""
        return BELIEF * self._bowls(columns)

    def covariance(self, some: Floats, others: Floats) -> Floats:
        """Covariance between two sets of inputs; shape [some, others]."""
        lines = self._slope * self._lines(some) @ self._lines(others).T
        found: Floats = LEVEL + lines + BOWL * np.outer(self._bowls(some), self._bowls(others))
        return found

    def weighted(self, some: Floats, others: Floats, weights: Floats) -> Floats:
        """`covariance(some, others) @ weights`, without the matrix; shape [some]."""
        slopes = self._slope * self._lines(some) @ (self._lines(others).T @ weights)
        bowl = BOWL * self._bowls(some) * (self._bowls(others) @ weights)
        found: Floats = LEVEL * weights.sum() + slopes + bowl
        return found

    def variance(self, columns: Floats) -> Floats:
        """The diagonal of the covariance of these inputs with themselves; shape [n]."""
        lines = self._slope * (self._lines(columns) ** 2).sum(axis=1)
        found: Floats = LEVEL + lines + BOWL * self._bowls(columns) ** 2
        return found

    def features(self, columns: Floats) -> Floats:
        """Basis functions, each times its weight's prior deviation; shape [n, features].

        The product of two sets of them is the covariance.
        """
        level = np.full((len(columns), 1), math.sqrt(LEVEL))
        lines = math.sqrt(self._slope) * self._lines(columns)
        bowl = math.sqrt(BOWL) * self._bowls(columns)[:, None]
        return np.concatenate([level, lines, bowl], axis=1)

    def _lines(self, columns: Floats) -> Floats:
        """Positions from the middle; shape [n, positions]."""
        return columns[:, self._positions] - 0.5

    def _bowls(self, columns: Floats) -> Floats:
        """Squared distance from the middle, with mean 0 and variance 1 if spread evenly."""
        there = (self._absences < 0) | (columns[:, self._absences] == 0)
        squares = there * (self._lines(columns) ** 2 - OF_POSITION)
        found: Floats = self._bowl * squares.sum(axis=1)
        return found


# A level alone.
LEVEL_ALONE = Trend(np.zeros(0, dtype=int), np.zeros(0, dtype=int))
