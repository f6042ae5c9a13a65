"""A Gaussian process over configurations and the logarithm of the round."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import cho_solve, solve_triangular
from scipy.optimize import minimize

from nettuner.models.arrays import Floats, Ints
from nettuner.tasks.strategies.bayesian.marginal_likelihood import JITTER, correlation
from nettuner.tasks.strategies.bayesian.trend import Trend
from nettuner.tasks.strategies.freeze_thaw.likelihood import SLOPE, CurveLikelihood

# Most steps of a fit.
STEPS = 25


def time_of(rounds: Floats | float, whole: int) -> Floats:
    """Logarithms of rounds: 0 for the first, 1 for the last of a whole training."""
    found: Floats = np.log(np.asarray(rounds, dtype=float)) / math.log(max(whole, 2))
    return found


def likeliest_settings(density: CurveLikelihood) -> Floats:
    """The settings with the largest posterior density near the mode of the prior."""
    result = minimize(
        density,
        density.likeliest,
        jac=True,
        method="L-BFGS-B",
        bounds=density.bounds,
        options={"maxiter": STEPS, "maxfun": STEPS + 10, "ftol": 1e-4, "gtol": 1e-2},
    )
    found: Floats = result.x
    return found


@dataclass(frozen=True)
class CurveProcess:
    """The process, conditioned on points of curves; see `conditioned`.

    Args:
        columns: Inputs of the configurations, shape [m, columns].
        groups: Index of the dimension of each column, from 0; shape [columns].
        trend: Trend over the configurations.
        settings: Settings of the kernel; see `CurveLikelihood`.
        owner: Index of each point's configuration, shape [n].
        time: Time of each point, shape [n].
        values: Targets, shape [n].
        factor: Cholesky factor of the points' covariance, shape [n, n].
        alpha: Inverse covariance times the values, shape [n].
    """

    columns: Floats
    groups: Ints
    trend: Trend
    settings: Floats
    owner: Ints
    time: Floats
    values: Floats
    factor: Floats
    alpha: Floats

    @property
    def means(self) -> Floats:
        """Posterior mean at each of the points, shape [n]."""
        found: Floats = self.values - (math.exp(self.settings[-1]) + JITTER) * self.alpha
        return found

    def posterior(self, columns: Floats, owner: Ints, time: Floats) -> tuple[Floats, Floats]:
        """Posterior mean and standard deviation of points, without noise; two of shape [p].

        Source: Rasmussen & Williams (2006), algorithm 2.1.

        Args:
            columns: Inputs of the points' configurations, shape [p, columns].
            owner: Index of each among the configurations of the process, -1 for others; shape [p].
            time: Time of each point, shape [p].
        """
        near = self._covariance(columns, owner, time)
        mean = near @ self.alpha + self.trend.mean(columns)
        half = solve_triangular(self.factor, near.T, lower=True, check_finite=False)
        signal, own = np.exp(self.settings[[-4, -3]])
        variance = signal + own + self.trend.variance(columns) + SLOPE * (time - 1) ** 2
        variance -= np.einsum("ij,ij->j", half, half)
        return mean, np.sqrt(np.maximum(variance, 1e-12))

    def mean(self, columns: Floats, owner: Ints, time: float) -> Floats:
        """Posterior mean of points at one time; otherwise as `posterior`, but much faster.

        Points of one configuration have one covariance over the configurations, so their weights
        are summed first.
        """
        over_time, signal, own, own_time, _ = np.exp(self.settings[-5:])
        apart = np.abs(time - self.time)
        alike = signal * correlation(self._squares(columns))
        found = alike @ self._summed(correlation((apart / over_time) ** 2) * self.alpha)
        found += self.trend.weighted(columns, self.columns, self._summed(self.alpha))
        found += SLOPE * (time - 1) * (self.time - 1) @ self.alpha + self.trend.mean(columns)
        course = np.append(self._summed(own * np.exp(-apart / own_time) * self.alpha), 0.0)
        found += course[owner]  # -1 is the last, which is none
        result: Floats = found
        return result

    def believing(self, columns: Floats, owner: int, time: float) -> CurveProcess:
        """As if one more point had the value that is expected of it ("kriging believer").

        Args:
            columns: Inputs of the point's configuration, shape [columns].
            owner: Its index among the configurations; their number for a new one.
            time: Time of the point.
        """
        one, when = columns[None], np.array([time])
        known = owner < len(self.columns)
        mean, _ = self.posterior(one, np.array([owner if known else -1]), when)
        more = replace(
            self,
            columns=self.columns if known else np.concatenate([self.columns, one]),
            owner=np.append(self.owner, owner),
            time=np.append(self.time, when),
            values=np.append(self.values, mean),
        )
        return more._conditioned()

    def _covariance(self, columns: Floats, owner: Ints, time: Floats) -> Floats:
        """Prior covariance of points with those of the process; shape [p, n]."""
        over_time, signal, own, own_time, _ = np.exp(self.settings[-5:])
        rungs, at = np.unique(self.time, return_inverse=True)  # points share few times
        near = correlation(((time[:, None] - rungs) / over_time) ** 2)
        slopes = SLOPE * np.outer(time - 1, rungs - 1)
        alike = signal * correlation(self._squares(columns))
        trend = self.trend.covariance(columns, self.columns)
        found = alike[:, self.owner] * near[:, at] + (trend[:, self.owner] + slopes[:, at])
        row, point = np.nonzero(owner[:, None] == self.owner)
        found[row, point] += own * np.exp(-np.abs(time[row] - self.time[point]) / own_time)
        result: Floats = found
        return result

    def _squares(self, columns: Floats) -> Floats:
        """Squared distances to the configurations of the process, in length scales; [p, m]."""
        scales = np.exp(-self.settings[:-5])[self.groups]
        some, others = columns * scales, self.columns * scales
        found: Floats = some @ others.T
        found *= -2
        found += (some**2).sum(axis=1)[:, None]
        found += (others**2).sum(axis=1)
        np.maximum(found, 0, out=found)
        return found

    def _summed(self, weights: Floats) -> Floats:
        """Sum of the weights of each configuration's points; shape [m]."""
        found: Floats = np.bincount(self.owner, weights, minlength=len(self.columns)).astype(float)
        return found

    def _conditioned(self) -> CurveProcess:
        rows = self.columns[self.owner]
        matrix = self._covariance(rows, self.owner, self.time)
        matrix[np.diag_indices(len(matrix))] += math.exp(self.settings[-1]) + JITTER
        factor: Floats = np.asarray(np.linalg.cholesky(matrix), dtype=float)
        off = self.values - self.trend.mean(rows)
        return replace(self, factor=factor, alpha=cho_solve((factor, True), off))


def conditioned(
    columns: Floats,
    groups: Ints,
    trend: Trend,
    settings: Floats,
    owner: Ints,
    time: Floats,
    values: Floats,
) -> CurveProcess:
    """A process with these settings, conditioned on points of curves; shapes as there."""
    none = np.zeros(0)
    process = CurveProcess(
        columns, groups, trend, settings, owner, time, values, none[:, None], none
    )
    return process._conditioned()
