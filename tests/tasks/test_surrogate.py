"""The model behind Bayesian search: its numbers agree with other ways to compute them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from tasks.surrogate import fit, log_expected_improvement, posterior, standardised


def data(n: int = 12) -> tuple[np.ndarray, np.ndarray]:
    columns = np.random.default_rng(0).random((n, 2))
    targets = standardised(np.sin(5 * columns[:, 0]) + columns[:, 1])
    assert targets is not None
    return columns, targets


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


def test_mean_and_deviation_are_those_of_the_library():
    columns, targets = data()
    model = fit(columns, targets, seed=0)
    asked = np.random.default_rng(1).random((30, 2))
    mean, std = posterior(model, asked, columns[:0])
    expected = model.predict(asked, return_std=True)
    assert mean == pytest.approx(expected[0], abs=1e-8)
    assert std == pytest.approx(expected[1], abs=1e-5)


def test_believing_the_mean_at_pending_points_equals_telling_it():
    columns, targets = data()
    model = fit(columns, targets, seed=0)
    asked, pending = np.random.default_rng(2).random((2, 20, 2))
    pending = pending[:3]
    believed = posterior(model, pending, columns[:0])[0]
    mean, std = posterior(model, asked, pending)
    # The textbook's equations with all points told, the kernel kept.
    seen, told = np.vstack([columns, pending]), np.concatenate([targets, believed])
    kernel = model.kernel_
    inverse = np.linalg.inv(kernel(seen) + model.noise_ * np.eye(len(seen)))
    across = kernel(asked, seen)
    assert mean == pytest.approx(across @ inverse @ told, abs=1e-5)
    variance = kernel.diag(asked) - np.einsum("ij,jk,ik->i", across, inverse, across)
    assert std**2 == pytest.approx(variance, abs=1e-5)


@pytest.mark.parametrize("mean", [-2.0, 0.0, 0.9, 3.0])
def test_expected_improvement_is_the_integral_it_stands_for(mean):
    def gain(x: float) -> float:
        return max(0.5 - x, 0.0) * float(stats.norm.pdf(x, mean, 0.7))

    integral, _ = integrate.quad(gain, mean - 10, 0.5)
    found = log_expected_improvement(np.array([mean]), np.array([0.7]), best=0.5)
    assert found == pytest.approx([np.log(integral)], rel=1e-6)


def test_expected_improvement_orders_the_hopeless():
    means = np.array([1e1, 1e3, 1e5, 1e7, 1e9])
    found = log_expected_improvement(means, np.ones(5), best=0.0)
    assert np.all(np.isfinite(found))
    assert np.all(np.diff(found) < 0)


def test_a_certain_improvement_is_its_size():
    found = log_expected_improvement(np.array([-3.0]), np.array([1e-6]), best=0.0)
    assert found == pytest.approx([np.log(3.0)])
