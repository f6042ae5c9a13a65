"""Curves grow point by point, and long ones lose points but no time."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from nettuner.models.curve import Point, extended, thinned

scores = st.floats(-1e6, 1e6)
curves = st.lists(st.tuples(st.integers(1, 5), scores, st.floats(0, 10)), max_size=40).map(
    lambda steps: [
        Point(sum(step for step, _, _ in steps[: k + 1]), score, seconds)
        for k, (_, score, seconds) in enumerate(steps)
    ]
)


def test_a_round_that_is_told_again_has_its_later_score_and_the_time_of_both():
    curve = extended([Point(1, 0.5, 2.0), Point(2, 0.4, 1.0)], Point(2, 0.3, 0.5))
    assert curve == [Point(1, 0.5, 2.0), Point(2, 0.3, 1.5)]


def test_of_five_points_at_most_three_are_the_first_and_the_later_of_each_pair():
    curve = [Point(k, k / 10, 1.0) for k in range(1, 6)]
    assert thinned(curve, most=3) == (Point(1, 0.1, 1), Point(3, 0.3, 2), Point(5, 0.5, 2))


@given(curves, st.integers(1, 10))
def test_a_thinned_curve_keeps_its_end_its_order_and_all_the_time(curve, most):
    found = thinned(curve, most)
    assert len(found) <= max(most, 1)
    assert found[-1:] == tuple(point._replace(seconds=p.seconds) for point, p in
                               zip(curve[-1:], found[-1:], strict=True))  # fmt: skip
    assert [point.round for point in found] == sorted({point.round for point in found})
    assert math.isclose(sum(p.seconds for p in found), sum(p.seconds for p in curve), abs_tol=1e-9)
    assert thinned(found, most) == found
