"""What the surrogate model expects where nothing was tried."""

from __future__ import annotations

import numpy as np
import pytest

from nettuner.tasks.strategies.bayesian.gaussian_process import fitted
from nettuner.tasks.strategies.bayesian.trend import LEVEL, LEVEL_ALONE, Trend


def of_positions(count):
    """A trend of columns that are always there."""
    return Trend(np.arange(count), np.full(count, -1))


def test_mean_and_covariance_are_those_of_level_slope_and_bowl():
    trend = of_positions(1)
    ends = np.array([[0.0], [0.5], [1.0]])
    # Squared distances of 1/4, 0 and 1/4 from the middle, less 1/12, by the root of 180.
    bowl = np.array([5**0.5, -(5**0.5) / 2, 5**0.5])
    assert trend.mean(ends) == pytest.approx(0.3 * bowl)
    # A slope of variance 6 (half of what targets vary by), at -1/2, 0 and 1/2.
    slope = 6 * np.outer([-0.5, 0, 0.5], [-0.5, 0, 0.5])
    expected = 1 + slope + 0.3 * np.outer(bowl, bowl)
    assert trend.covariance(ends, ends) == pytest.approx(expected)
    assert trend.variance(ends) == pytest.approx(np.diag(expected))


@pytest.mark.parametrize("count", [1, 3, 20])
def test_it_explains_as_much_whatever_the_number_of_dimensions(count):
    spread = np.random.default_rng(0).random((100_000, count))
    trend = of_positions(count)
    # Mean 0 and standard deviation 0.3, within 2 % of it: the draws are always the same.
    assert trend.mean(spread).mean() == pytest.approx(0, abs=0.005)
    assert trend.mean(spread).std() == pytest.approx(0.3, rel=0.02)
    assert trend.variance(spread).mean() == pytest.approx(LEVEL + 0.5 + 0.3, rel=0.02)


def test_columns_that_are_no_positions_have_a_level_alone():
    trend = LEVEL_ALONE
    columns = np.random.default_rng(0).random((5, 2))
    assert trend.mean(columns).tolist() == [0] * 5
    assert trend.covariance(columns, columns) == pytest.approx(np.full((5, 5), LEVEL))
    assert trend.variance(columns) == pytest.approx(np.full(5, LEVEL))


def test_what_is_absent_is_neither_at_an_end_nor_in_the_middle():
    # The second position may be absent, which the third column says; then it stands at 1/2.
    trend = Trend(np.array([0, 1]), np.array([-1, 2]))
    even, away = 0.5 + (1 / 12) ** 0.5, 0.5  # where a bowl is 0
    absent = np.array([[even, 0.5, away]])
    there = np.array([[even, 0.5, 0.0]])
    assert trend.mean(absent) == pytest.approx([0])
    assert trend.mean(there) == pytest.approx([0.3 * -(1 / 12) * 90**0.5])
    assert trend.variance(absent) == pytest.approx(LEVEL + 3 * (even - 0.5) ** 2)


def test_what_falls_towards_an_end_is_expected_to_fall_further():
    columns = np.linspace(0.1, 0.5, 9)[:, None]
    targets = (0.3 - columns[:, 0]) / np.std(columns)
    groups, far = np.array([0]), np.array([[1.0]])
    sloping = fitted(columns, groups, targets, 0, trend=of_positions(1))
    level = fitted(columns, groups, targets, 0)
    assert sloping.predict(far)[0] < targets.min()
    assert sloping.predict(far)[0] < level.predict(far)[0]
