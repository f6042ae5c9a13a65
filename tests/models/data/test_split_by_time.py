import numpy as np
import pytest

from nettuner.models.data.split_by_time import split_by_time


def parts(times, validation, test):
    rows = split_by_time(np.array(times, dtype=float), validation, test)
    return [part.tolist() for part in (rows.train, rows.validation, rows.test)]


def test_the_oldest_are_trained_on_and_the_newest_are_for_the_test():
    # Ten moments, backwards: row 9 is the oldest.
    assert parts(range(10, 0, -1), 0.2, 0.2) == [[4, 5, 6, 7, 8, 9], [2, 3], [0, 1]]


def test_rows_of_one_moment_stay_together():
    # Two of ten to test would divide the four of moment 3. Moments end after 3 and 6 rows: 6 is
    # nearest to 8, and what is older than that has one end alone.
    assert parts([1, 1, 1, 2, 2, 2, 3, 3, 3, 3], 0.2, 0.2) == [[0, 1, 2], [3, 4, 5], [6, 7, 8, 9]]


@pytest.mark.parametrize(
    ("validation", "test", "expected"), [(0.5, 0.0, (5, 5, 0)), (0.0, 0.3, (7, 0, 3))]
)
def test_a_share_of_zero_takes_no_row(validation, test, expected):
    assert tuple(map(len, parts(range(10), validation, test))) == expected


def test_two_moments_are_too_few_for_three_splits():
    with pytest.raises(ValueError, match="a moment of its own, got 2 for 3 splits"):
        parts([1, 1, 2, 2], 0.2, 0.2)
