"""The Gaussian process that is the surrogate model, as an estimator for scikit-optimize.

Pending trials need no new fit: conditioning on the model's own mean at a pending point leaves the
mean unchanged everywhere and only reduces the variance around it ("kriging believer", Ginsbourger,
Le Riche & Carraro 2010).
"""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
from numpy.random import Generator
from scipy.linalg import cho_solve, solve_triangular
from scipy.optimize import minimize

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from skopt import Optimizer
    from skopt.learning import GaussianProcessRegressor

from nettuner.models.arrays import Floats, Ints
from nettuner.tasks.strategies.bayesian.long_history import thinned
from nettuner.tasks.strategies.bayesian.marginal_likelihood import (
    JITTER,
    MarginalLikelihood,
    matern,
)
from nettuner.tasks.strategies.bayesian.trend import LEVEL_ALONE, Trend

# The fit starts from the mode of the prior and from so many random settings.
RESTARTS = 2
# Length scales of random starts, as shares of an axis.
START_LENGTHS = (0.1, 2.0)
STEPS = 60
# Most trials that settings are fitted to, and most that the process is conditioned on.
FITTED, KEPT = 150, 500


class GaussianProcess(GaussianProcessRegressor):  # type: ignore[misc]
    """Regression with maximum a posteriori settings; see `MarginalLikelihood` for the kernel.

    A long history is `thinned`: settings are fitted to `FITTED` trials, and the process is
    conditioned on `KEPT`.

    Args:
        groups: Index of the dimension of each column, from 0; shape [columns].
        random_state: Seed of the fit's random starts.
        known: Variance of each target's noise as far as it is known, shape [n]; a scalar for all.
        trend: Trend of the process.
    """

    def __init__(
        self,
        groups: Any = (),
        random_state: int = 0,
        known: Any = 0.0,
        trend: Trend = LEVEL_ALONE,
    ) -> None:
        self.groups = groups
        self.random_state = random_state
        self.known = known
        self.trend = trend

    def fit(self, columns: Any, targets: Any) -> Self:
        """Fit the settings, then condition on the targets.

        Args:
            columns: Inputs in [0, 1], shape [n, columns].
            targets: Scores with mean 0 and standard deviation 1, shape [n]; lower is better.
        """
        columns, targets = np.asarray(columns, dtype=float), np.asarray(targets, dtype=float)
        known = np.broadcast_to(np.asarray(self.known, dtype=float), targets.shape)
        rng = np.random.default_rng(self.random_state)
        some, groups = thinned(targets, FITTED), np.asarray(self.groups)
        density = MarginalLikelihood(columns[some], groups, targets[some], known[some], self.trend)
        self.settings_ = likeliest_settings(density, rng)
        kept = thinned(targets, KEPT)
        self.X_train_, self.y_train_ = columns[kept], targets[kept]
        self.usual_noise_ = known[kept].mean()
        noise = np.exp(self.settings_[-1]) + JITTER + known[kept]
        matrix = self.covariance(self.X_train_, self.X_train_)
        matrix[np.diag_indices(len(matrix))] += noise
        self.L_ = np.linalg.cholesky(matrix)
        self.alpha_ = cho_solve((self.L_, True), self.y_train_ - self.trend.mean(self.X_train_))
        self.n_features_in_ = columns.shape[1]
        return self

    def covariance(self, some: Floats, others: Floats) -> Floats:
        """Prior covariance of the scores at two sets of inputs; shape [some, others]."""
        trend = self.trend.covariance(some, others)
        scales = np.exp(-self.settings_[:-2])[np.asarray(self.groups)]
        some, others = some * scales, others * scales
        squares = (some**2).sum(axis=1)[:, None] + (others**2).sum(axis=1) - 2 * some @ others.T
        variance = np.exp(self.settings_[-2])
        found: Floats = variance * matern(np.maximum(squares, 0))[0] + trend
        return found

    def predict(self, columns: Any, return_std: bool = False, return_cov: bool = False) -> Any:
        """Posterior mean at some inputs, and standard deviation if `return_std`."""
        if return_cov:
            raise ValueError("a covariance is not given, got return_cov=True; use `posterior`")
        columns = np.asarray(columns, dtype=float)
        mean, std = self.posterior(columns, columns[:0])
        return (mean, std) if return_std else mean

    def posterior(self, columns: Floats, pending: Floats) -> tuple[Floats, Floats]:
        """Posterior mean and standard deviation, given the data and the believed `pending`.

        Source: Rasmussen & Williams (2006), algorithm 2.1, applied again for the pending points.

        Args:
            columns: Inputs, shape [n, columns].
            pending: Inputs of pending trials, shape [m, columns]; they will be as noisy as the
                trials are on average.

        Returns:
            Two arrays of shape [n].
        """
        near = self.covariance(columns, self.X_train_)
        half = self._half(near)
        variance = np.exp(self.settings_[-2]) + self.trend.variance(columns)
        variance -= np.einsum("ij,ij->j", half, half)
        if len(pending):
            half_pending = self._half(self.covariance(pending, self.X_train_))
            cross = self.covariance(columns, pending) - half.T @ half_pending
            own = self.covariance(pending, pending) - half_pending.T @ half_pending
            noise = np.exp(self.settings_[-1]) + JITTER + self.usual_noise_
            own[np.diag_indices(len(own))] += noise
            reduced = solve_triangular(np.linalg.cholesky(own), cross.T, lower=True)
            variance -= np.einsum("ij,ij->j", reduced, reduced)
        mean = near @ self.alpha_ + self.trend.mean(columns)
        return mean, np.sqrt(np.maximum(variance, 1e-12))

    def differences(self, some: Floats, others: Floats) -> Floats:
        """Standard deviation, before any data, of the difference of two inputs' scores.

        Args:
            some: Inputs, shape [some, columns].
            others: Inputs, shape [others, columns].

        Returns:
            Array of shape [some, others].
        """
        trends = self.trend.variance(some)[:, None] + self.trend.variance(others)
        squares = 2 * np.exp(self.settings_[-2]) + trends - 2 * self.covariance(some, others)
        found: Floats = np.sqrt(np.maximum(squares, 0))
        return found

    def shift(self, columns: Floats, asked: Floats) -> tuple[Floats, Floats]:
        """Posterior mean at some inputs, and by how much a trial elsewhere is going to move it.

        Args:
            columns: Inputs, shape [n, columns].
            asked: Inputs of which one may be tried, shape [m, columns]; the trial will be as noisy
                as the others are on average.

        Returns:
            The means, shape [n], and the standard deviations of their change by each of the m
            trials, shape [n, m]; these have a sign, as one trial moves all means together.
        """
        near = self.covariance(columns, self.X_train_)
        half, half_asked = self._half(near), self._half(self.covariance(asked, self.X_train_))
        tied = self.covariance(columns, asked) - half.T @ half_asked
        own = np.exp(self.settings_[-2]) + self.trend.variance(asked)
        own -= np.einsum("ij,ij->j", half_asked, half_asked)
        noise = np.exp(self.settings_[-1]) + JITTER + self.usual_noise_
        mean = near @ self.alpha_ + self.trend.mean(columns)
        return mean, tied / np.sqrt(np.maximum(own, 1e-12) + noise)

    def left_out(self, columns: Floats, targets: Floats) -> Floats:
        """Leave-one-out errors of the targets; shape [n].

        Trials that were thinned out are predicted from those that were kept.

        Source: Rasmussen & Williams (2006), equation 5.12.
        """
        inverse = cho_solve((self.L_, True), np.eye(len(self.L_)))
        known = {row.tobytes(): i for i, row in enumerate(self.X_train_)}
        errors: Floats = targets - self.predict(columns)
        for i, row in enumerate(np.ascontiguousarray(columns)):
            place = known.get(row.tobytes())
            if place is not None and targets[i] == self.y_train_[place]:
                errors[i] = self.alpha_[place] / inverse[place, place]
        return errors

    def _half(self, near: Floats) -> Floats:
        """The inverse Cholesky factor times a covariance; shape [trials, n]."""
        found: Floats = solve_triangular(self.L_, near.T, lower=True, check_finite=False)
        return found


def likeliest_settings(density: MarginalLikelihood, rng: Generator) -> Floats:
    """The best of several local optima of the kernel's settings."""
    found, lowest = density.likeliest, np.inf
    for attempt in range(1 + RESTARTS):
        start = density.likeliest
        if attempt:
            start[:-2] = np.log(rng.uniform(*START_LENGTHS, density.dimensions))
        result = minimize(
            density,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=density.bounds,
            options={"maxiter": STEPS, "ftol": 1e-6, "gtol": 1e-3},
        )
        if result.fun < lowest:
            found, lowest = result.x, result.fun
    return found


def fitted(
    columns: Floats,
    groups: Ints,
    targets: Floats,
    seed: int,
    known: Floats | float = 0.0,
    trend: Trend = LEVEL_ALONE,
) -> GaussianProcess:
    """A Gaussian process fitted by one `tell` of scikit-optimize's optimiser.

    Args:
        columns: Inputs in [0, 1], shape [n, columns].
        groups: Index of the dimension of each column, from 0; shape [columns].
        targets: Scores with mean 0 and standard deviation 1, shape [n]; lower is better.
        seed: Seed of the fit's random starts.
        known: Variance of each target's noise as far as it is known, shape [n]; a scalar for all.
        trend: Trend of the process.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # hides that a point was tried before
        optimizer = Optimizer(
            [(0.0, 1.0)] * columns.shape[1],
            GaussianProcess(groups, seed, known, trend),
            n_initial_points=0,
            acq_func="EI",
            acq_optimizer="sampling",
            acq_optimizer_kwargs={"n_points": 1},  # its candidates are not used
            random_state=seed,
            model_queue_size=1,
        )
        optimizer.tell(columns.tolist(), targets.tolist())
    process: GaussianProcess = optimizer.models[-1]
    return process
