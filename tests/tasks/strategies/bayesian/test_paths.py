"""Functions that are drawn from the posterior have its mean and its spread."""

from __future__ import annotations

import numpy as np

from nettuner.tasks.strategies.bayesian.gaussian_process import GaussianProcess
from nettuner.tasks.strategies.bayesian.paths import Paths
from nettuner.tasks.strategies.bayesian.trend import Trend

RNG = np.random.default_rng(0)
TREND = Trend(np.arange(2), np.full(2, -1))


def process():
    columns = RNG.random((20, 2))
    targets = np.sin(5 * columns[:, 0]) + columns[:, 1]
    targets = (targets - targets.mean()) / targets.std()
    return GaussianProcess(np.arange(2), 0, 0.01, TREND).fit(columns, targets)


def test_the_features_of_a_trend_make_its_covariance():
    some, others = RNG.random((7, 2)), RNG.random((5, 2))
    made = TREND.features(some) @ TREND.features(others).T
    assert np.allclose(made, TREND.covariance(some, others))


def test_functions_have_the_mean_and_the_deviation_of_the_posterior():
    found, asked = process(), RNG.random((50, 2))
    mean, std = found.posterior(asked, asked[:0])
    drawn = Paths(found, 2000, np.random.default_rng(1))(asked)
    # A mean of 2,000 is off by 0.02 deviations; seven of them never come up in 50 places.
    assert np.all(np.abs(drawn.mean(axis=1) - mean) < 7 * std / np.sqrt(2000) + 1e-6)
    # The covariance of 512 cosines is off by some percent, the same for all functions of a seed.
    assert np.all(np.abs(np.log(drawn.std(axis=1) / std)) < np.log(1.4))


def test_a_function_is_the_same_wherever_else_it_is_asked():
    functions, asked = Paths(process(), 3, np.random.default_rng(1)), RNG.random((5000, 2))
    assert np.allclose(functions(asked)[4990:], functions(asked[4990:]))
    assert functions(asked[:0]).shape == (0, 3)
