"""Scores without unit or origin."""

from __future__ import annotations

import numpy as np
import pytest

from nettuner.tasks.strategies.bayesian.targets import in_units, noise_of, standardised


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


def test_good_ones_far_below_many_bad_ones_stay_apart():
    # Most trials diverged to about 90 % errors; clipped like bad ones, 20, 10 and 5 % were equal.
    found = standardised(np.array([90.0, 90.1, 90.2, 90.1, 89.9, 90.0, 90.3, 90.1, 20, 10, 5]))
    assert found is not None
    assert found[-3] - found[-2] > 0.01
    assert found[-2] - found[-1] > 0.005


def test_one_that_differs_from_many_equals_is_seen():
    assert standardised(np.array([1.0] * 9 + [1e300])) == pytest.approx([-1 / 3] * 9 + [3])


@pytest.mark.parametrize("factor", [1e-9, 0.1, 1e200])
@pytest.mark.parametrize("shift", [0.0, 12.3])
def test_unit_and_origin_make_no_difference(factor, shift):
    scores = np.random.default_rng(1).normal(size=20)
    changed = factor * (scores + shift)
    assert np.array_equal(standardised(changed), standardised(scores))


def test_the_noise_of_a_target_is_in_units_of_the_targets():
    # The scores 1 and 3 become -1 and 1, so a unit of the targets is one of the scores.
    targets, half_unit = in_units(np.array([1.0, 3.0]))
    assert (targets.tolist(), half_unit) == ([-1, 1], 0.5)
    assert noise_of([0.3, None], half_unit) == pytest.approx([0.09, 0])
    # In thousandths of the scores' unit it is the same.
    _, half_unit = in_units(np.array([1000.0, 3000.0]))
    assert noise_of([300.0, None], half_unit) == pytest.approx([0.09, 0])


@pytest.mark.parametrize("error", [1e308, 1.7e308, float("inf")])
def test_noise_of_any_magnitude_is_finite(error):
    assert np.isfinite(noise_of([error, 5e-324], 1e-300)).all()
