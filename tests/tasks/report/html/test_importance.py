"""Importance on functions whose shares of variance are known."""

from __future__ import annotations

import time

import numpy as np
import pytest

from nettuner.tasks.report.html.importance import importance, places_of
from nettuner.tasks.report.html.surrogate import fit
from nettuner.tasks.strategies.bayesian.axis import axis_of

UNIFORM = {"distribution": "uniform", "low": 0, "high": 1}
THREE = dict.fromkeys(("a", "b", "c"), UNIFORM)


@pytest.fixture
def shares(made):
    def shares(space, score, count=50):
        return importance(fit(made.study(space).space, made.sampled(space, score, count)))

    return shares


def test_a_sum_is_shared_by_the_squares_of_its_slopes(shares):
    # The variances of 3a and b are 9/12 and 1/12; c has none.
    found = shares(THREE, lambda p: 3 * p["a"] + p["b"])
    assert list(found.total)[:2] == ["a", "b"]
    assert found.main["a"].middle == pytest.approx(0.9, abs=0.05)
    assert found.main["b"].middle == pytest.approx(0.1, abs=0.02)
    assert found.total["c"].high < 0.01
    assert max(part.middle for part in found.pairs.values()) < 0.01


def test_a_product_of_centred_numbers_is_all_interaction(shares):
    found = shares(THREE, lambda p: (p["a"] - 0.5) * (p["b"] - 0.5))
    assert max(found.main[name].middle for name in THREE) < 0.03
    (first, *_) = found.pairs
    assert set(first) == {"a", "b"}
    assert found.pairs[first].middle == pytest.approx(1, abs=0.06)
    assert found.total["a"].middle > 0.94
    assert found.total["c"].high < 0.01


def test_a_hyperparameter_under_a_condition_counts_where_it_exists(shares):
    # Half of the cube has kind x and there the variance of b, 1/12; the means of the halves are
    # 1/2 and 0, whose variance is 1/16. So b has 1/24 of 1/24 + 1/16: two fifths.
    space = {"kind": ["x", "y"], "b": {**UNIFORM, "when": {"kind": "x"}}}
    found = shares(space, lambda p: p.get("b", 0.0), count=80)
    assert found.total["b"].middle == pytest.approx(0.4, abs=0.06)
    # Along b the mean is taken where it exists: from 0 to 1, not to 1/2.
    assert found.effects["b"].mean[-1] == pytest.approx(23 / 24, abs=0.05)


def test_what_is_unknown_of_a_function_is_unknown_of_the_shares(shares):
    rng = np.random.default_rng(3)
    noisy = shares(THREE, lambda p: p["a"] + rng.normal(0, 0.3), count=30).total["a"]
    exact = shares(THREE, lambda p: p["a"] + 0.5 * p["b"], count=30).total["a"]
    assert noisy.high - noisy.low > 5 * (exact.high - exact.low)


def test_the_effect_of_a_hyperparameter_is_told_in_scores(shares):
    # The mean over b of 10 a + b is 10 a + 1/2.
    effect = shares(THREE, lambda p: 10 * p["a"] + p["b"]).effects["a"]
    expected = 10 * effect.places.numbers + 0.5
    assert np.allclose(effect.mean, expected, atol=0.4)
    assert np.all((effect.low <= effect.mean) & (effect.mean <= effect.high))


def test_weights_of_a_choice_are_those_of_its_places(made):
    dimension = made.study(
        {"k": {"distribution": "choice", "values": ["a", "b"], "weights": [3, 1]}}
    ).space["k"]
    assert places_of(axis_of(dimension), 12).weights.tolist() == [0.75, 0.25]


def test_forty_hyperparameters_and_three_hundred_trials_are_a_matter_of_seconds(made):
    space = {f"x{k}": UNIFORM for k in range(40)}
    model = fit(made.study(space).space, made.sampled(space, lambda p: p["x0"], 300))
    began = time.process_time()
    found = importance(model)
    assert time.process_time() - began < 20  # 2 on a quiet core
    assert next(iter(found.total)) == "x0"
    assert len(found.effects) == 12
