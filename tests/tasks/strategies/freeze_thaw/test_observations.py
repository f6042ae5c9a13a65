"""Curves as a few points on one scale."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nettuner.tasks.strategies.freeze_thaw.observations import Observations, targets
from nettuner.tasks.strategies.freeze_thaw.rungs import rungs


def curves(*scores):
    """One curve for each list of scores, from round 1."""
    owner = np.concatenate([np.full(len(one), i) for i, one in enumerate(scores)])
    round_ = np.concatenate([np.arange(1.0, len(one) + 1) for one in scores])
    return Observations(owner, round_, np.concatenate(scores).astype(float))


@pytest.mark.parametrize(
    ("rounds", "shortest", "expected"),
    [
        (50, 1, [1, 2, 3, 6, 12, 25, 50]),
        (50, 3, [3, 6, 12, 25, 50]),
        (10, 3, [5, 10]),
        (8, 8, [8]),
        (1, 1, [1]),
        (0, 1, [0]),
    ],
)
def test_a_rung_is_half_as_far_as_the_next(rounds, shortest, expected):
    assert rungs(rounds, shortest) == expected


def test_of_a_curve_the_last_point_up_to_each_rung_is_kept():
    points = curves(range(1, 7), range(1, 6)).at_rungs([2, 3, 6])
    assert points.owner.tolist() == [0, 0, 0, 1, 1, 1]
    assert points.round_.tolist() == [2, 3, 6, 2, 3, 5]


def test_the_order_of_points_makes_no_difference():
    points = curves([3, 2, 1], [5, 4])
    shuffled = points.subset(np.array([4, 0, 2, 1, 3])).at_rungs([1, 2, 3])
    assert shuffled.score.tolist() == [3, 2, 1, 5, 4]


def test_where_there_are_too_many_bad_curves_keep_their_last_point_alone():
    points = curves([0.9, 0.1], [0.9, 0.2], [0.9, 0.3]).thinned(4)
    assert points.owner.tolist() == [0, 0, 1, 2]
    assert points.score.tolist() == [0.9, 0.1, 0.2, 0.3]


def test_zero_is_the_best_score_and_one_the_median_of_the_curves_best():
    points = curves([0.8, 0.2, 0.3], [0.6, 0.4], [0.6])
    worse = 1 + math.log(2)  # 0.6 is twice as far from 0.2 as the median, 0.4
    expected = [2, 0, 0.5, worse, 1, worse]  # and 0.8 three times: 1 + log 3 is beyond the limit
    assert targets(points) == pytest.approx(expected)


def test_a_diverged_curve_counts_as_the_limit_of_what_is_bad():
    points = curves([0.2], [0.4], [1e18], [math.nan])
    assert targets(points).tolist() == [0, 1, 2, 2]


def test_scores_over_orders_of_magnitude_count_by_their_logarithms():
    points = curves([1e-2, 1e-4], [1e-2], [1])
    assert targets(points) == pytest.approx([1, 0, 1, 1 + math.log(2)])


@pytest.mark.parametrize("score", [0.0, 0.7, -1e300])
def test_equal_scores_have_no_scale(score):
    assert targets(curves([score, score], [score])) is None
    assert targets(curves([math.nan], [math.nan])) is None


def test_equal_scores_are_better_than_failures():
    assert targets(curves([0.5], [math.nan], [0.5])).tolist() == [0, 2, 0]


def test_the_largest_numbers_there_are_overflow_nowhere():
    with np.errstate(all="raise"):
        found = targets(curves([-1.7e308], [0.0], [1.7e308]))
    assert found == pytest.approx([0, 1, 1 + math.log(2)])
