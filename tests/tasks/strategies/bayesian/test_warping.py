"""The scale on which scores are explained best."""

from __future__ import annotations

import numpy as np
import pytest

from nettuner.tasks.strategies.bayesian.targets import standardised
from nettuner.tasks.strategies.bayesian.trend import Trend
from nettuner.tasks.strategies.bayesian.warping import warped

GROUPS = np.array([0, 1])
TREND = Trend(np.array([0, 1]), np.array([-1, -1]))
COLUMNS = np.random.default_rng(0).random((30, 2))


def on_best_scale(scores, known=None):
    targets = standardised(scores)
    known = np.zeros(len(scores)) if known is None else known
    return targets, *warped(COLUMNS, GROUPS, targets, known, TREND)


def test_losses_that_spread_over_orders_of_magnitude_are_seen_as_logarithms():
    # From 1 to e^6 = 400 along one axis; as they are, the better half has a few hundredths of all.
    exponents = 6 * COLUMNS[:, 0]
    targets, found, _ = on_best_scale(np.exp(exponents))
    better = exponents < np.median(exponents)
    raw, logs = (np.ptp(values[better]) / np.ptp(values) for values in (targets, found))
    assert logs > 1.5 * raw
    assert (found.mean(), found.std()) == pytest.approx((0, 1), abs=1e-9)
    assert np.array_equal(np.argsort(found), np.argsort(targets))


def test_scores_that_vary_smoothly_are_left_as_they_are():
    targets, found, _ = on_best_scale(np.sin(3 * COLUMNS[:, 0]) + COLUMNS[:, 1])
    assert np.array_equal(found, targets)


def test_noise_is_carried_over_to_the_new_scale():
    scores = np.exp(6 * COLUMNS[:, 0])
    targets, found, noise = on_best_scale(scores, np.full(30, 1e-6))
    order = np.argsort(targets)
    slopes = np.gradient(found[order], targets[order])
    measured = np.sqrt(noise[order] / 1e-6)
    inside = slice(3, 20)  # neighbours are close enough for their difference to be a slope
    assert measured[inside] == pytest.approx(slopes[inside], rel=0.5)
    assert np.all(np.diff(measured[inside]) < 0)  # the lower the loss, the more its noise counts
