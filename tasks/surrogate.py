"""The model that Bayesian search learns of the scores: a Gaussian process of scikit-optimize.

Written so that neither the unit nor the origin of the scores matters, and so that trials still
in flight are accounted for without fitting anew: believing the model's own mean at a pending
point leaves the mean everywhere as it is, and only takes away uncertainty around that point.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Scores further out than so many times the middle half's range count as that far.
FAR = 5.0
# Standardised scores are rounded to so many decimals: adding a constant to all scores changes
# their last bits, and must not change the search.
DECIMALS = 9
RESTARTS = 2


def standardised(scores: Floats) -> Floats | None:
    """Scores with mean 0 and standard deviation 1, outliers pulled in; None if all are equal.

    Args:
        scores: Shape [n], finite, of any magnitude: one 1e300 does not hide the others.
    """
    if len(scores) < 2 or np.ptp(scores / 2) == 0:
        return None
    for share in (0.25, 0.1, 0.0):  # where more than half of the scores are equal, look further
        low, high = np.quantile(scores, [share, 1 - share], method="nearest")
        if high > low:
            break
    with np.errstate(over="ignore"):  # infinite limits are none
        reach = FAR * (high - low) if share else 0.0
        inside = np.clip(scores, low - reach, high + reach)
    centred = inside / 2 - np.median(inside / 2)  # halves: the difference of two 1e308 is finite
    centred = centred / np.abs(centred).max()
    result: Floats = np.round((centred - centred.mean()) / centred.std(), DECIMALS)
    return result


def fit(columns: Floats, targets: Floats, seed: int) -> Any:
    """A Gaussian process fitted to targets of mean 0 and standard deviation 1.

    Args:
        columns: Shape [n, dimensions], in [0, 1].
        targets: Shape [n], lower is better.
        seed: Of the restarts of the fit.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit at its bounds is no news to anybody
        from skopt import Optimizer  # takes seconds to import
        from skopt.learning import GaussianProcessRegressor
        from skopt.learning.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

        width = columns.shape[1]
        shape = Matern(np.full(width, 0.5), [(0.03, 30.0)] * width, nu=2.5)
        kernel = ConstantKernel(1.0, (0.05, 50.0)) * shape + WhiteKernel(0.01, (1e-6, 1.0))
        process = GaussianProcessRegressor(
            kernel, noise="gaussian", n_restarts_optimizer=RESTARTS, random_state=seed
        )
        optimizer = Optimizer(
            [(0.0, 1.0)] * width,
            process,
            n_initial_points=0,
            acq_func="EI",
            acq_optimizer="sampling",
            acq_optimizer_kwargs={"n_points": 1},  # candidates are scored by `posterior`
            random_state=seed,
            model_queue_size=1,
        )
        optimizer.tell(columns.tolist(), targets.tolist())
        return optimizer.models[-1]


def posterior(model: Any, columns: Floats, pending: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation at `columns`, given the data and the believed `pending`.

    Source: the equations are those of Rasmussen & Williams (2006), algorithm 2.1, applied a
    second time for the pending points ("kriging believer", Ginsbourger et al. 2010).

    Args:
        model: Fitted.
        columns: Shape [n, dimensions].
        pending: Shape [m, dimensions].

    Returns:
        Two arrays of shape [n].
    """
    from scipy.linalg import cho_factor, cho_solve, solve_triangular

    kernel, seen = model.kernel_, model.X_train_
    near = kernel(columns, seen)
    mean = near @ model.alpha_
    half = solve_triangular(model.L_, near.T, lower=True)
    variance = kernel.diag(columns) - np.sum(half**2, axis=0)
    if len(pending):
        half_pending = solve_triangular(model.L_, kernel(pending, seen).T, lower=True)
        cross = kernel(columns, pending) - half.T @ half_pending
        own = kernel(pending) - half_pending.T @ half_pending
        factor = cho_factor(own + (model.noise_ + 1e-9) * np.eye(len(pending)), lower=True)
        variance -= np.sum(cross * cho_solve(factor, cross.T).T, axis=1)
    return mean, np.sqrt(np.maximum(variance, 1e-12))


def log_expected_improvement(mean: Floats, std: Floats, best: float) -> Floats:
    """Logarithm of how much lower than `best` a normal variable is, on average.

    The logarithm tells candidates apart whose expected improvement is too small to store.

    Source: Ament et al., Unexpected Improvements to Expected Improvement (2023),
    arXiv:2310.20708, equation 9.
    """
    from scipy.special import erfcx, log_ndtr

    z = (best - mean) / std
    density = -(z**2) / 2 - np.log(2 * np.pi) / 2
    below = np.minimum(z, -1.0)
    # phi(z) + z Phi(z) = phi(z) (1 - |z| sqrt(pi/2) erfcx(|z|/sqrt 2)); about phi(z)/z^2 far out.
    share = 1 + below * np.sqrt(np.pi / 2) * erfcx(-below / np.sqrt(2))
    tail = np.where(below < -1e4, -2 * np.log(-below), np.log(np.maximum(share, 1e-300)))
    above = np.maximum(z, -1.0)
    body = np.exp(-(above**2) / 2) / np.sqrt(2 * np.pi) + above * np.exp(log_ndtr(above))
    result: Floats = np.log(std) + np.where(z < -1, density + tail, np.log(body))
    return result
