"""The log posterior density of the settings of a process over curves, and its gradient.

The covariance of two points of curves, (a, t) and (b, u), with t and u the logarithms of their
rounds, is the sum of
- a level, and slopes over the configurations (`Trend`), and a slope over time;
- signal: Matern 5/2 over configurations times Matern 5/2 over time;
- a curve's own course, if a = b: exp(-|t - u| / length), so that nothing known of the
  configuration need explain it, and the further a curve is extended the less is sure;
- noise, if the points are the same.

Settings are logarithms, shape [dimensions + 5]: length scales of the dimensions, the length over
time, the variance of the signal, the variance and the length of the own course, and the noise.

Sources: Swersky, Snoek & Adams, Freeze-Thaw Bayesian Optimization (2014), arXiv:1406.3896; for the
product of kernels, Lin et al. (2024), arXiv:2410.09239; for the gradient, Rasmussen & Williams
(2006), equation 5.9.
"""

from __future__ import annotations

import math

import numpy as np

from nettuner.models.arrays import Floats, Ints
from nettuner.tasks.strategies.bayesian.marginal_likelihood import (
    IMPOSSIBLE,
    JITTER,
    LENGTH_MEAN,
    LENGTH_STD,
    LENGTHS,
    evidence,
    matern,
)
from nettuner.tasks.strategies.bayesian.trend import Trend

# Of each setting after the length scales: mean and standard deviation of its prior, and bounds.
TIME = (math.log(1.0), 1.0, math.log(0.1), math.log(10.0))
SIGNAL = (0.0, 1.0, -5.0, 4.0)
OWN = (math.log(0.1), 1.0, -7.0, 2.0)
OWN_TIME = (math.log(1.0), 1.0, math.log(0.1), math.log(10.0))
NOISE = (math.log(1e-3), 2.0, math.log(1e-6), 0.0)
# Prior variance of the slope over time, in targets per whole training (logarithmic rounds).
SLOPE = 1.0


class CurveLikelihood:
    """Negative log posterior density of the settings, up to a constant.

    Args:
        columns: Inputs of each point's configuration, shape [n, columns].
        groups: Index of the dimension of each column, from 0; shape [columns].
        owner: Index of each point's configuration, shape [n].
        time: Logarithm of each point's round, 0 for the first and 1 for the last; shape [n].
        values: Targets with mean 0 and variance 1, shape [n].
        trend: Trend over the configurations.
    """

    def __init__(
        self,
        columns: Floats,
        groups: Ints,
        owner: Ints,
        time: Floats,
        values: Floats,
        trend: Trend,
    ) -> None:
        self.size, self.dimensions = len(values), int(groups.max()) + 1
        self._row, self._column = np.tril_indices(self.size, -1)
        self._below = self._row * self.size + self._column  # the same, in the flat matrix
        self._diagonal = np.arange(self.size) * (self.size + 1)
        self.values = values - trend.mean(columns)
        known = trend.covariance(columns, columns) + SLOPE * np.outer(time - 1, time - 1)
        self._trend_below, self._trend = known.ravel()[self._below], np.diag(known)
        self._squares = np.zeros((self.dimensions, len(self._row)))
        for i, group in enumerate(groups.tolist()):
            self._squares[group] += (columns[self._row, i] - columns[self._column, i]) ** 2
        self._apart = np.abs(time[self._row] - time[self._column])
        self._same = np.flatnonzero(owner[self._row] == owner[self._column])
        length = (LENGTH_MEAN + math.log(self.dimensions) / 2, LENGTH_STD, *LENGTHS)
        self._priors = np.array([length] * self.dimensions + [TIME, SIGNAL, OWN, OWN_TIME, NOISE])

    @property
    def likeliest(self) -> Floats:
        """The mode of the prior."""
        return self._priors[:, 0].copy()

    @property
    def bounds(self) -> list[tuple[float, float]]:
        """Bounds of the settings."""
        return [(low, high) for low, high in self._priors[:, 2:].tolist()]

    def __call__(self, settings: Floats) -> tuple[float, Floats]:
        """The negative log posterior density, and its gradient."""
        d = self.dimensions
        weights = np.exp(-2 * settings[:d])
        over_time, signal, own, own_time, noise = np.exp(settings[d:])
        alike, slope = matern(weights @ self._squares)
        near, near_slope = matern((self._apart / over_time) ** 2)
        apart = self._apart[self._same] / own_time
        course = own * np.exp(-apart)
        both = signal * alike * near
        matrix = np.zeros((self.size, self.size))
        flat = matrix.reshape(-1)
        flat[self._below] = both + self._trend_below
        flat[self._below[self._same]] += course
        flat[self._diagonal] = signal + own + noise + self._trend + JITTER
        found = evidence(matrix, self.values)
        if found is None:
            return IMPOSSIBLE, np.zeros_like(settings)
        loss, alpha, inverse = found
        # Half of the gradient's trace is the sum over pairs, as the matrices are symmetric.
        pairs = alpha[self._row] * alpha[self._column] - inverse.reshape(-1)[self._below]
        diagonal = 0.5 * float((alpha**2 - np.diag(inverse)).sum())
        of_course = pairs[self._same] * course
        gradient = np.empty_like(settings)
        gradient[:d] = 2 * weights * (self._squares @ (pairs * signal * slope * near))
        squares = (self._apart / over_time) ** 2
        gradient[d] = 2 * (pairs * signal * alike * near_slope) @ squares
        gradient[d + 1] = -(pairs @ both) - signal * diagonal
        gradient[d + 2] = -of_course.sum() - own * diagonal
        gradient[d + 3] = -(of_course @ apart)
        gradient[d + 4] = -noise * diagonal
        off = (settings - self._priors[:, 0]) / self._priors[:, 1]
        return float(loss + 0.5 * off @ off), gradient + off / self._priors[:, 1]
