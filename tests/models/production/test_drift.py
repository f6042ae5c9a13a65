"""Drift of inputs: what chance makes is none, what a person would see is one."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest

from nettuner.models.production.drift import LIMIT, drifts, reference


def only(before, after):
    """The drift of a single column."""
    known = json.loads(json.dumps(reference(pd.DataFrame({"x": before}))))
    (found,) = drifts(known, pd.DataFrame({"x": after}))
    return found


def test_the_index_of_two_categories_is_that_of_the_formula():
    # Shares 0.5 and 0.5 become 0.25 and 0.75.
    found = only(["a", "b"] * 100, ["a", "b", "b", "b"] * 50)
    expected = 0.25 * math.log(0.5 / 0.25) + 0.25 * math.log(0.75 / 0.5)
    assert found.index == pytest.approx(expected)


def test_equal_rows_have_not_drifted():
    assert only(list(range(100)), list(range(100))).index == 0


def test_a_shift_by_a_standard_deviation_is_a_large_one():
    rng = np.random.default_rng(0)
    found = only(rng.normal(size=1000), rng.normal(size=500) + 1)
    assert found.index > 2 * LIMIT
    assert found.exceeds(LIMIT)


def test_a_category_that_was_never_seen_and_values_that_are_missing_count():
    assert only(["a"] * 50 + ["b"] * 50, ["c"] * 100).exceeds(LIMIT)
    assert only([1.0, 2.0, 3.0, 4.0] * 25, [1.0, np.nan] * 50).exceeds(LIMIT)


def test_dates_are_compared_as_dates():
    before = pd.date_range("2026-01-01", periods=100).astype(str).tolist()
    after = pd.date_range("2026-06-01", periods=100).astype(str).tolist()
    assert only(before, after).exceeds(LIMIT)
    assert not only(before, before[::-1]).exceeds(LIMIT)


def test_chance_alone_raises_a_false_alarm_in_about_one_of_a_hundred_checks():
    """Twenty columns, 300 rows before and 60 after, limit 0: only chance is left.

    Of 200 checks at most 9 may raise one; at the promised rate more have a probability of 0.01 %.
    """
    rng = np.random.default_rng(2)
    alarms = 0
    for _ in range(200):
        known = reference(pd.DataFrame(rng.normal(size=(300, 20))).add_prefix("x"))
        found = drifts(known, pd.DataFrame(rng.normal(size=(60, 20))).add_prefix("x"))
        alarms += any(drift.exceeds(0.0) for drift in found)
    assert alarms <= 9


def test_a_column_that_is_missing_or_of_another_kind_is_an_error():
    known = reference(pd.DataFrame({"x": [1.0, 2.0], "y": ["a", "b"]}))
    with pytest.raises(ValueError, match="the columns y must be there as in training, got x, z"):
        drifts(known, pd.DataFrame({"x": [1.0], "z": [1]}))
    with pytest.raises(ValueError, match="number"):
        drifts(known, pd.DataFrame({"x": ["many"], "y": ["a"]}))


def test_the_worst_column_comes_first():
    known = reference(pd.DataFrame({"x": [0, 1] * 50, "y": [0, 1] * 50}))
    found = drifts(known, pd.DataFrame({"x": [0, 1] * 50, "y": [5] * 100}))
    assert [drift.column for drift in found] == ["y", "x"]
