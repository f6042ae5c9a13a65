"""Expected improvement: its numbers are those of the integral."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from nettuner.tasks.strategies.bayesian.improvement import log_expected_improvement


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
