"""The Gaussian process over configurations and rounds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from nettuner.tasks.strategies.bayesian.trend import LEVEL_ALONE, Trend
from nettuner.tasks.strategies.freeze_thaw.likelihood import CurveLikelihood
from nettuner.tasks.strategies.freeze_thaw.process import conditioned, time_of

OWNER = np.array([0, 0, 1, 2, 2, 2, 3, 4, 5, 5])
NEW = np.full(4, -1)


def some(trend=None):
    """Ten points of six curves in three dimensions, and a process conditioned on them."""
    rng = np.random.default_rng(0)
    columns, time, values = rng.random((6, 3)), rng.random(10), rng.normal(size=10)
    trend = trend or Trend(np.arange(3), np.full(3, -1))
    density = CurveLikelihood(columns[OWNER], np.arange(3), OWNER, time, values, trend)
    settings = density.likeliest + rng.normal(0, 0.3, 8)
    process = conditioned(columns, np.arange(3), trend, settings, OWNER, time, values)
    return density, settings, process


def test_time_is_the_logarithm_of_the_round():
    assert time_of(np.array([1, 10, 100]), 100) == pytest.approx([0, 0.5, 1])
    assert time_of(1, 1) == 0


def test_the_gradient_is_that_of_the_density():
    density, settings, _ = some()
    numeric = approx_fprime(settings, lambda at: density(at)[0], 1e-6)
    assert density(settings)[1] == pytest.approx(numeric, abs=1e-4)


def test_the_quick_mean_is_the_mean():
    _, _, process = some()
    points = np.random.default_rng(1).random((4, 3))
    slow, _ = process.posterior(points, NEW, np.full(4, 0.7))
    assert process.mean(points, NEW, 0.7) == pytest.approx(slow)
    every = np.arange(6)
    slow, _ = process.posterior(process.columns, every, np.full(6, 0.7))
    assert process.mean(process.columns, every, 0.7) == pytest.approx(slow)


def test_means_are_those_at_the_points():
    _, _, process = some()
    mean, _ = process.posterior(process.columns[OWNER], OWNER, process.time)
    assert process.means == pytest.approx(mean)


def test_a_believed_point_changes_no_mean_and_makes_its_surroundings_surer():
    _, _, process = some()
    points, time = np.random.default_rng(1).random((4, 3)), np.full(4, 0.5)
    believed = process.believing(points[0], 6, 0.5)
    (mean, std), (other, less) = (p.posterior(points, NEW, time) for p in (process, believed))
    assert other == pytest.approx(mean)
    assert np.all(less < std)
    again = process.believing(process.columns[2], 2, 0.5)
    here = process.columns[2:3], np.array([2]), np.array([0.5])
    assert again.posterior(*here)[1] < process.posterior(*here)[1]
    assert again.posterior(*here)[0] == pytest.approx(process.posterior(*here)[0])


def test_of_its_own_curve_a_configuration_knows_more_than_of_its_twins():
    # Two configurations at the same place: what one has come to says less of the other, by its
    # own course, of variance 0.5.
    columns, one, place = np.zeros((1, 1)), np.array([0]), np.zeros((1, 1))
    settings = np.log([1.0, 1.0, 1.0, 0.5, 1.0, 1e-6])
    process = conditioned(
        columns, np.array([0]), LEVEL_ALONE, settings, one, np.array([1.0]), np.array([2.0])
    )
    own = process.posterior(place, one, np.array([1.0]))
    twin = process.posterior(place, np.array([-1]), np.array([1.0]))
    # Prior variance: level 1, signal 1, own 0.5; the twin shares 2 of 2.5.
    assert own[0] == pytest.approx([2], abs=1e-5)
    assert twin[0] == pytest.approx([2 * 2 / 2.5], abs=1e-5)
    assert own[1] == pytest.approx([0], abs=2e-3)
    assert twin[1] == pytest.approx([math.sqrt(2.5 - 2**2 / 2.5)], abs=1e-5)


def test_the_further_a_curve_is_extended_the_less_is_sure():
    columns, one = np.zeros((1, 1)), np.array([0])
    settings = np.log([1.0, 1.0, 1.0, 0.5, 1.0, 1e-6])
    process = conditioned(
        columns, np.array([0]), LEVEL_ALONE, settings, one, np.array([0.0]), np.array([0.3])
    )
    deviations = [
        float(process.posterior(columns, one, np.array([time]))[1][0]) for time in (0.0, 0.4, 0.8)
    ]
    assert deviations[0] < deviations[1] < deviations[2]
