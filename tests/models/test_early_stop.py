"""The rules by which trials end early."""

from __future__ import annotations

import pytest

from nettuner.models.curve import Point
from nettuner.models.early_stop import Median, Patience, Rungs


def curve(*scores, every=1):
    return [Point(every * (k + 1), score, 1.0) for k, score in enumerate(scores)]


def numbered(*curves):
    return dict(enumerate(curves))


def test_worse_than_the_median_of_four_others_ends_and_as_good_goes_on():
    others = numbered(*(curve(score) for score in (0.1, 0.2, 0.4, 0.5)))  # median 0.3
    assert Median().reason(curve(0.3), others) is None
    assert Median().reason(curve(0.31), others) == "at 1 worse than the median of 4 others"


def test_what_counts_is_the_best_so_far_of_those_that_have_got_as_far():
    far = [curve(0.9, 0.1, 0.9) for _ in range(4)]  # their best until round 2 is 0.1
    assert Median().reason(curve(0.5), numbered(*far)) is None  # at round 1 it was 0.9
    assert Median().reason(curve(0.5, 0.4), numbered(*far)) is not None
    assert Median().reason(curve(0.1, 0.4), numbered(*far)) is None  # it dipped as they did
    near = [curve(0.1) for _ in range(9)]
    assert Median().reason(curve(0.5, 0.4), numbered(*near, *far[:3])) is None  # three got as far


def test_nothing_ends_before_the_warm_up_or_beside_too_few():
    others = numbered(*(curve(0.1, 0.1, 0.1) for _ in range(4)))
    assert Median(after=3).reason(curve(0.5, 0.5), others) is None
    assert Median(after=3).reason(curve(0.5, 0.5, 0.5), others) is not None
    assert Median(trials=5).reason(curve(0.5), others) is None


def test_patience_counts_rounds_since_the_first_of_the_best():
    assert Patience(rounds=3).reason(curve(0.5, 0.4, 0.4, 0.6), {}) is None
    reason = Patience(rounds=3).reason(curve(0.5, 0.4, 0.4, 0.6, 0.4), {})
    assert reason == "at 5 no better than at 2"


@pytest.mark.parametrize(
    ("score", "others", "goes_on"),
    [
        (0.9, [], True),  # the first
        (0.9, [0.5], False),
        (0.5, [0.5], True),  # of equals both
        (0.3, [0.1, 0.2], False),  # of three the best
        (0.3, [0.1, 0.4, 0.5, 0.6, 0.7], True),  # of six the best two
        (0.45, [0.1, 0.4, 0.5, 0.6, 0.7], False),
    ],
)
def test_the_best_third_of_those_at_a_rung_goes_on(score, others, goes_on):
    reason = Rungs(1, 3).reason(curve(score), numbered(*map(curve, others)))
    assert (reason is None) is goes_on


def test_a_rung_is_decided_once_by_the_first_report_there_or_later():
    rungs, others = Rungs(2, 3), numbered(curve(0.1, 0.1, 0.1, 0.1, every=2))
    assert rungs.reason(curve(0.5), others) is None  # no rung yet
    assert rungs.reason(curve(0.5, 0.5), others) == "at 2 1 of 1 others were better"
    assert rungs.reason(curve(0.5, 0.05, 0.5), others) is None  # decided a round ago
    # Reports come every 4 steps: the first at rung 6 is the one of step 8.
    assert rungs.reason(curve(0.05, 0.5, every=4), others) == "at 6 1 of 1 others were better"
