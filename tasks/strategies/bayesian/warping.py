"""Targets on the scale on which a Gaussian process explains them best.

Losses often spread over orders of magnitude, so that everything good looks equal. Where it makes
the targets likelier, the logarithms of their distances from a point below the lowest one take their
place. Their density is that of the targets themselves, which includes the slope of the logarithm.

Sources: Box & Cox, An Analysis of Transformations (1964); Snelson, Rasmussen & Ghahramani, Warped
Gaussian Processes (2003).
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from nettuner.models.arrays import Floats, Ints
from nettuner.tasks.strategies.bayesian.long_history import thinned
from nettuner.tasks.strategies.bayesian.marginal_likelihood import MarginalLikelihood
from nettuner.tasks.strategies.bayesian.targets import DECIMALS
from nettuner.tasks.strategies.bayesian.trend import Trend

# Distance of the point below the lowest target, in standard deviations of the targets. A nearer one
# takes what is next to the best for the only improvement there is.
BELOW = 1.0
# Logarithms are taken where their log density is larger by this.
LARGER = 0.5
# Most targets that the scales are compared on, and most steps of each one's fit.
COMPARED, STEPS = 75, 8


def warped(
    columns: Floats,
    groups: Ints,
    targets: Floats,
    known: Floats,
    trend: Trend,
) -> tuple[Floats, Floats]:
    """Targets on their likelier scale, with mean 0 and variance 1 again, and their noise there.

    Args:
        columns: Inputs, shape [n, columns].
        groups: Index of the dimension of each column, from 0; shape [columns].
        targets: Scores with mean 0 and variance 1, shape [n].
        known: Variance of each target's noise as far as it is known, shape [n].
        trend: Trend of the process.
    """
    above = targets - targets.min() + BELOW
    logs = np.log(above)
    slopes = 1 / above / logs.std()
    logs = np.round((logs - logs.mean()) / logs.std(), DECIMALS)
    noise = known * slopes**2
    some = thinned(targets, COMPARED)
    plain = MarginalLikelihood(columns[some], groups, targets[some], known[some], trend)
    other = MarginalLikelihood(columns[some], groups, logs[some], noise[some], trend)
    settings, loss = _fitted(plain, plain.likeliest)
    loss_of_logs = _fitted(other, settings)[1] - np.log(slopes[some]).sum()
    return (logs, noise) if loss_of_logs < loss - LARGER else (targets, known)


def _fitted(density: MarginalLikelihood, start: Floats) -> tuple[Floats, float]:
    """The settings after a few steps from these, and the negative log density."""
    result = minimize(
        density,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=density.bounds,
        options={"maxiter": STEPS, "ftol": 1e-4, "gtol": 1e-2},
    )
    return result.x, float(result.fun)
