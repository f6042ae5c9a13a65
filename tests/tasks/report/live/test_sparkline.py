"""A curve as blocks: its lowest and highest value are the lowest and highest block."""

from __future__ import annotations

import pytest

from nettuner.tasks.report.live.sparkline import shortened, sparkline


def test_seven_equal_steps_are_the_eight_blocks():
    assert sparkline([7, 6, 5, 4, 3, 2, 1, 0]) == "█▇▆▅▄▃▂▁"
    assert sparkline([0, 0.5, 1], "_-#") == "_-#"


def test_a_curve_without_change_has_one_height_and_one_without_points_none():
    assert sparkline([0.3, 0.3, 0.3]) == "▅▅▅"
    assert sparkline([0.3]) == "▅"
    assert sparkline([]) == ""


def test_the_largest_numbers_that_there_are_have_blocks():
    assert sparkline([-1.7e308, 0.0, 1.7e308], "_-#") == "_-#"


@pytest.mark.parametrize(
    ("points", "told"),
    [(3, (0, 1, 2)), (4, (0, 1, 2, 3)), (7, (0, 2, 4, 6)), (1000, (0, 333, 666, 999))],
)
def test_a_long_curve_keeps_its_ends_and_points_evenly_between(points, told):
    assert shortened(range(points), 4) == told
