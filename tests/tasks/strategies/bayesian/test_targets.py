"""Scores without unit or origin."""

from __future__ import annotations

import numpy as np
import pytest

from nettuner.tasks.strategies.bayesian.targets import standardised


def test_scores_get_mean_zero_and_deviation_one():
    assert standardised(np.array([1.0, 3.0])) == pytest.approx([-1, 1])
    found = standardised(np.array([5.0, 1.0, 2.0, 8.0, 4.0]))
    assert found is not None
    assert (found.mean(), found.std()) == pytest.approx((0, 1))


@pytest.mark.parametrize("scores", [[], [3.0], [3.0, 3.0, 3.0]])
def test_equal_scores_teach_nothing(scores):
    assert standardised(np.array(scores)) is None


@pytest.mark.parametrize("far", [1e3, 1e300, 1.7e308])
def test_one_outlier_does_not_hide_the_others(far):
    found = standardised(np.array([1.0, 2.0, 3.0, 4.0, 5.0, far, -far]))
    assert found is not None
    # The middle half reaches from 2 to 5 (nearest ranks): 1 to 5 stay a tenth of all apart.
    assert np.all(np.diff(found[:5]) > 0.05)
    assert found[5] == found.max()
    assert found[6] == found.min()
    assert np.all(np.isfinite(found))


def test_one_that_differs_from_many_equals_is_seen():
    assert standardised(np.array([1.0] * 9 + [1e300])) == pytest.approx([-1 / 3] * 9 + [3])


@pytest.mark.parametrize("factor", [1e-9, 0.1, 1e200])
@pytest.mark.parametrize("shift", [0.0, 12.3])
def test_unit_and_origin_make_no_difference(factor, shift):
    scores = np.random.default_rng(1).normal(size=20)
    changed = factor * (scores + shift)
    assert np.array_equal(standardised(changed), standardised(scores))
