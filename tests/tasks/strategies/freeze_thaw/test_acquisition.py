"""What a segment is worth, and what a round costs."""

from __future__ import annotations

import numpy as np
import pytest

from nettuner.tasks.strategies.bayesian.trend import Trend
from nettuner.tasks.strategies.freeze_thaw.acquisition import log_worth
from nettuner.tasks.strategies.freeze_thaw.seconds import seconds_of


def worth(mean, std, now, rest, best=0.0):
    arrays = (np.array([float(x)]) for x in (mean, std))
    return float(np.exp(log_worth(*arrays, best, np.array([now]), np.array([rest])))[0])


def test_worth_is_the_expected_improvement_by_the_rounds_that_it_is_expected_to_take():
    # A normal variable around the best improves it by 1/sqrt(2 pi), and half of the time: one
    # round, and the other eight half of the time.
    assert worth(0, 1, now=1.0, rest=8.0) == pytest.approx(0.398942 / 5)


def test_what_surely_improves_pays_all_its_rounds_and_what_hardly_does_its_look_alone():
    assert worth(-2, 1e-3, now=1.0, rest=9.0) == pytest.approx(2 / 10)
    far = worth(4, 1, now=2.0, rest=100.0)  # P(z < -4) = 3.2e-5
    assert far == pytest.approx(worth(4, 1, now=2.0, rest=0.0), rel=0.01)


def test_twice_as_long_a_look_is_worth_half():
    assert worth(3, 1, now=2.0, rest=0.0) == pytest.approx(worth(3, 1, now=1.0, rest=0.0) / 2)


def test_seconds_are_learned_over_the_space():
    # From 1 s at one end to 16 s at the other: 4 s in the middle, 8 s at three quarters.
    known = np.linspace(0, 1, 9)[:, None]
    expected = seconds_of(
        known, 16 ** known[:, 0], np.array([[0.5], [0.75]]), Trend(np.array([0]), np.array([-1]))
    )
    assert expected == pytest.approx([4, 8], rel=0.1)


def test_equal_seconds_are_expected_everywhere():
    known, others = np.array([[0.1], [0.6]]), np.array([[0.0], [1.0]])
    trend = Trend(np.array([0]), np.array([-1]))
    assert seconds_of(known, np.array([3.0, 3.0]), others, trend) == pytest.approx([3, 3])
