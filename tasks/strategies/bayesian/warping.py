"""Targets on the scale on which a Gaussian process explains them best.

Losses often spread over orders of magnitude, so that everything good looks equal. Candidates are
the targets as they are, and logarithms of their distances from a point below the lowest one. The
likeliest of them is taken, by the density of the targets themselves, which includes the slope of
the transformation.

Sources: Box & Cox, An Analysis of Transformations (1964); Snelson, Rasmussen & Ghahramani, Warped
Gaussian Processes (2003).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.optimize import minimize

from nettuner.models.arrays import Floats, Ints
from nettuner.tasks.strategies.bayesian.long_history import thinned
from nettuner.tasks.strategies.bayesian.marginal_likelihood import MarginalLikelihood
from nettuner.tasks.strategies.bayesian.targets import DECIMALS
from nettuner.tasks.strategies.bayesian.trend import Trend

# Distances of the point below the lowest target, in standard deviations of the targets.
BELOW = (1.0, 0.3, 0.1, 0.03)
# A scale replaces the one before where its log density is larger by this.
LARGER = 0.5
# Most targets that scales are compared on, and most steps of each comparison's fit.
COMPARED, STEPS = 75, 8


def warped(
    columns: Floats, groups: Ints, targets: Floats, known: Floats, trend: Trend
) -> tuple[Floats, Floats]:
    """Targets on their likeliest scale, with mean 0 and variance 1 again, and their noise there.

    Args:
        columns: Inputs, shape [n, columns].
        groups: Index of the dimension of each column, from 0; shape [columns].
        targets: Scores with mean 0 and variance 1, shape [n].
        known: Variance of each target's noise as far as it is known, shape [n].
        trend: Trend of the process.
    """
    some = thinned(targets, COMPARED)
    settings, lowest, chosen = None, np.inf, (targets, known)
    for values, slopes in _scales(targets):
        noise = known * slopes**2
        density = MarginalLikelihood(columns[some], groups, values[some], noise[some], trend)
        result = minimize(
            density,
            density.likeliest if settings is None else settings,
            jac=True,
            method="L-BFGS-B",
            bounds=density.bounds,
            options={"maxiter": STEPS, "ftol": 1e-4, "gtol": 1e-2},
        )
        settings = result.x
        loss = result.fun - np.log(slopes[some]).sum()
        if loss < lowest - LARGER:
            lowest, chosen = loss, (values, noise)
    return chosen


def _scales(targets: Floats) -> Iterator[tuple[Floats, Floats]]:
    """The targets on each scale, and the slopes of the transformation at them."""
    yield targets, np.ones_like(targets)
    for below in BELOW:
        above = targets - targets.min() + below
        logs = np.log(above)
        spread = logs.std()
        yield np.round((logs - logs.mean()) / spread, DECIMALS), 1 / above / spread
