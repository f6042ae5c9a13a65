"""The scale on which scores are explained best."""

from __future__ import annotations

import numpy as np
import pytest

from nettuner.tasks.strategies.bayesian.targets import standardised
from nettuner.tasks.strategies.bayesian.trend import Trend
from nettuner.tasks.strategies.bayesian.warping import warped

GROUPS = np.array([0, 1])
TREND = Trend(np.array([True, True]))
COLUMNS = np.random.default_rng(0).random((30, 2))


def on_best_scale(scores, known=None):
    targets = standardised(scores)
    known = np.zeros(len(scores)) if known is None else known
    return targets, *warped(COLUMNS, GROUPS, targets, known, TREND)


def test_losses_that_spread_over_orders_of_magnitude_are_seen_as_logarithms():
    # From 1 to e^12 = 160,000 along one axis. Outliers are clipped, so the worst are equal.
    exponents = 12 * COLUMNS[:, 0]
    targets, found, _ = on_best_scale(np.exp(exponents))
    best = np.argsort(exponents)[:10]
    raw, warp = (np.ptp(values[best]) / np.ptp(values) for values in (targets, found))
    assert raw < 0.02
    assert warp > 0.05
    assert (found.mean(), found.std()) == pytest.approx((0, 1), abs=1e-9)
    assert np.array_equal(np.argsort(found[best]), np.argsort(targets[best]))


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
