"""How long a round of each configuration takes: a wide network costs more than a narrow one.

Logarithms of seconds are a trend over the space and a smooth remainder, as a Gaussian process with
fixed settings: times are so regular that a few networks tell enough.

Source: Snoek, Larochelle & Adams, Practical Bayesian Optimization (2012), arXiv:1206.2944, which
models the logarithm of the duration to maximise expected improvement per second.
"""

from __future__ import annotations

import numpy as np

from nettuner.models.arrays import Floats
from nettuner.tasks.strategies.bayesian.marginal_likelihood import matern
from nettuner.tasks.strategies.bayesian.trend import Trend

# Variances of the remainder and of the noise, where that of all logarithms is 1, and the length
# scale of the remainder, as a share of the diagonal of the space.
REMAINDER, NOISE, LENGTH = 0.5, 0.05, 0.5


def seconds_of(columns: Floats, seconds: Floats, others: Floats, trend: Trend) -> Floats:
    """Expected seconds per round of other configurations, shape [p].

    Args:
        columns: Inputs of the configurations that were timed, shape [m, columns].
        seconds: Their seconds per round, positive; shape [m].
        others: Inputs of the others, shape [p, columns].
        trend: Trend over the configurations, of which the bowl is not believed in beforehand.
    """
    logs = np.log(seconds)
    middle, spread = logs.mean(), logs.std()
    if not spread > 0:
        return np.full(len(others), np.exp(middle))
    scale = LENGTH * np.sqrt(max(columns.shape[1], 1))
    matrix = _covariance(columns, columns, scale, trend) + NOISE * np.eye(len(columns))
    weights = np.linalg.solve(matrix, (logs - middle) / spread)
    expected = _covariance(others, columns, scale, trend) @ weights
    found: Floats = np.exp(middle + spread * np.clip(expected, -3, 3))
    return found


def _covariance(some: Floats, others: Floats, scale: float, trend: Trend) -> Floats:
    squares = ((some[:, None] - others) ** 2).sum(axis=2) / scale**2
    found: Floats = REMAINDER * matern(squares)[0] + trend.covariance(some, others)
    return found
