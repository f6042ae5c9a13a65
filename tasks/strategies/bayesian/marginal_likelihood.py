"""Posterior density of a kernel's settings, which the fit of a Gaussian process maximises.

The kernel is Matern 5/2 with one length scale per dimension of the search space, shared by all its
columns: so any two values of an unordered choice have the same distance (as in the kernel of Ru et
al. 2020, arXiv:1906.08878). The covariance of the trend's unknown weights is added.

Settings are logarithms, shape [dimensions + 2]: the length scales, then the variance of the
signal, then the variance of the noise. Each has a normal prior.

Sources: Rasmussen & Williams, Gaussian Processes for Machine Learning (2006), equations 4.17, 5.8
and 5.9; for priors of length scales that grow with the dimensions, Hvarfner, Hellsten & Nardi,
Vanilla Bayesian Optimization Performs Great in High Dimensions (2024), arXiv:2402.02229.
"""

from __future__ import annotations

import math

import numpy as np

from nettuner.models.arrays import Floats, Ints
from nettuner.tasks.strategies.bayesian.trend import Trend

# Means and standard deviations of the priors. The median of a length scale grows with the square
# root of the number of dimensions, from 0.37 of the axis for one dimension.
LENGTH_MEAN, LENGTH_STD = -1.0, math.sqrt(3)
VARIANCE_MEAN, VARIANCE_STD = 0.0, 1.0
# Wide: one that finds noise unlikely explains it by length scales that are far too short.
NOISE_MEAN, NOISE_STD = math.log(1e-3), 3.0
# Bounds of the settings.
LENGTHS = (math.log(0.02), math.log(1000.0))
VARIANCES = (-5.0, 4.0)
NOISES = (math.log(1e-6), 0.0)
# Added to the diagonal, so that Cholesky factorisations succeed.
JITTER = 1e-8
IMPOSSIBLE = 1e10


def matern(squares: Floats) -> tuple[Floats, Floats]:
    """Matern 5/2 correlation at squared distances, and its derivative by these."""
    roots = np.sqrt(5 * squares)
    decay = np.exp(-roots)
    return (1 + roots + roots**2 / 3) * decay, -(5 / 6) * (1 + roots) * decay


def correlation(squares: Floats) -> Floats:
    """The correlation alone, in a third of the time: large arrays are changed in place."""
    roots = np.sqrt(5 * squares)
    found: Floats = roots**2
    found /= 3
    found += roots
    found += 1
    np.negative(roots, out=roots)
    found *= np.exp(roots, out=roots)
    return found


def evidence(matrix: Floats, targets: Floats) -> tuple[float, Floats, Floats] | None:
    """Negative log density of targets under a covariance, up to a constant, and what it took.

    Args:
        matrix: Covariance of the targets, of which the lower triangle is read; overwritten. Shape
            [n, n].
        targets: Targets with mean 0, shape [n].

    Returns:
        The density, the inverse covariance times the targets, shape [n], and the inverse
        covariance, of which the lower triangle is filled, shape [n, n]; None where the matrix is
        not positive definite.
    """
    from scipy.linalg import lapack

    # LAPACK is column-major: our lower triangle is its upper one.
    factor, failed = lapack.dpotrf(matrix.T, lower=0)
    if failed:
        return None
    alpha, _ = lapack.dpotrs(factor, targets, lower=0)
    inverse, _ = lapack.dpotri(factor, lower=0)
    loss = 0.5 * targets @ alpha + np.log(np.diag(factor)).sum()
    return float(loss), alpha, inverse.T


class MarginalLikelihood:
    """Negative log posterior density of a kernel's settings, up to a constant.

    Args:
        columns: Inputs, shape [n, columns].
        groups: Index of the dimension of each column, from 0; shape [columns].
        targets: Scores with mean 0 and variance 1, shape [n].
        known: Variance of each target's noise as far as it is known, shape [n] or a scalar; the
            noise that is fitted comes on top of it.
        trend: Trend of the process.
    """

    def __init__(
        self,
        columns: Floats,
        groups: Ints,
        targets: Floats,
        known: Floats | float,
        trend: Trend,
    ) -> None:
        self.targets = targets - trend.mean(columns)
        self.known = known
        self.size = len(targets)
        self.dimensions = int(groups.max()) + 1
        self._row, self._column = np.tril_indices(self.size, -1)
        self._below = self._row * self.size + self._column  # the same, in the flat matrix
        self._diagonal = np.arange(self.size) * (self.size + 1)
        unknown = trend.covariance(columns, columns).reshape(-1)
        self._trend_below, self._trend = unknown[self._below], unknown[self._diagonal]
        # Squared distance of each pair in each dimension.
        self._squares = np.zeros((self.dimensions, len(self._row)))
        for i, group in enumerate(groups.tolist()):
            self._squares[group] += (columns[self._row, i] - columns[self._column, i]) ** 2
        self._mean = np.full(self.dimensions + 2, LENGTH_MEAN + math.log(self.dimensions) / 2)
        self._mean[-2:] = VARIANCE_MEAN, NOISE_MEAN
        self._std = np.full(self.dimensions + 2, LENGTH_STD)
        self._std[-2:] = VARIANCE_STD, NOISE_STD

    @property
    def bounds(self) -> list[tuple[float, float]]:
        """Bounds of the settings."""
        return [LENGTHS] * self.dimensions + [VARIANCES, NOISES]

    @property
    def likeliest(self) -> Floats:
        """The mode of the prior."""
        return self._mean.copy()

    def __call__(self, settings: Floats) -> tuple[float, Floats]:
        """The negative log posterior density, and its gradient."""
        weights = np.exp(-2 * settings[:-2])
        variance, noise = np.exp(settings[-2:])
        correlation, slope = matern(weights @ self._squares)
        matrix = np.zeros((self.size, self.size))
        flat = matrix.reshape(-1)
        flat[self._below] = variance * correlation + self._trend_below
        flat[self._diagonal] = variance + noise + self._trend + JITTER + self.known
        found = evidence(matrix, self.targets)
        if found is None:
            return IMPOSSIBLE, np.zeros_like(settings)
        loss, alpha, inverse = found
        # Half of the gradient's trace is the sum over pairs, as the matrices are symmetric.
        pairs = alpha[self._row] * alpha[self._column] - inverse.reshape(-1)[self._below]
        diagonal = alpha**2 - np.diag(inverse)
        gradient = np.empty_like(settings)
        gradient[:-2] = 2 * weights * (self._squares @ (pairs * variance * slope))
        gradient[-2] = -variance * (pairs @ correlation + 0.5 * diagonal.sum())
        gradient[-1] = -0.5 * noise * diagonal.sum()
        off = (settings - self._mean) / self._std
        return float(loss + 0.5 * off @ off), gradient + off / self._std
