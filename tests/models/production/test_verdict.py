"""The gate: better only if the whole interval says so."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from nettuner.models.production.served_metrics import measure
from nettuner.models.production.verdict import judge

ERRORS = measure("regression", "rmse")
RIGHT = measure("classification", "accuracy")


def numbers(errors):
    """Answers to a truth of zeros."""
    return pd.DataFrame({"prediction": np.asarray(errors, dtype=float)})


def verdict(champion, challenger, scale=ERRORS, **more):
    truth = [0.0] * len(champion)
    return judge(scale, truth, numbers(champion), numbers(challenger), **more)


def test_a_challenger_whose_every_error_is_half_as_large_is_better_by_half():
    found = verdict([2.0] * 40, [1.0] * 40)
    assert (found.champion, found.challenger, found.gain) == (2.0, 1.0, 1.0)
    assert (found.low, found.high) == (1.0, 1.0)
    assert found.passed


def test_the_same_model_is_not_better_than_itself():
    errors = np.random.default_rng(0).normal(size=100)
    found = verdict(errors, errors)
    assert (found.gain, found.low, found.high) == (0.0, 0.0, 0.0)
    assert not found.passed


def test_a_gain_within_the_margin_is_refused():
    assert verdict([2.0] * 40, [1.0] * 40, margin=0.99).passed
    assert not verdict([2.0] * 40, [1.0] * 40, margin=1.0).passed


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution():
    # Absolute errors of the challenger: 0 or 2 by turns, mean 1, standard error 1 / sqrt(400).
    found = verdict([5.0] * 400, [0.0, 2.0] * 200, measure("regression", "mae"))
    reach = norm.ppf(0.975) / math.sqrt(400)
    assert found.gain == 4.0
    assert found.low == pytest.approx(4 - reach, abs=0.01)
    assert found.high == pytest.approx(4 + reach, abs=0.01)
    assert found.worst == pytest.approx(1 + reach, abs=0.01)


def test_rows_are_compared_in_pairs():
    # Errors vary a lot from row to row, and the challenger's are always 0.1 smaller: unpaired, the
    # interval would be thirty times as wide as the gain.
    errors = np.random.default_rng(0).uniform(1, 20, 200)
    assert verdict(errors, errors - 0.1, measure("regression", "mae")).low > 0.09


def test_chance_alone_is_promoted_in_at_most_a_few_of_a_hundred_cases():
    """Two models as good as each other: the 95 % interval lies above 0 in 2.5 of 100 cases.

    Of 200 independent cases at most 14 may: more have a probability of 0.05 % (binomial).
    """
    rng = np.random.default_rng(1)
    passed = sum(verdict(*rng.normal(size=(2, 60))).passed for _ in range(200))
    assert passed <= 14


def test_more_right_answers_are_a_gain():
    truth = ["x"] * 40
    old = pd.DataFrame({"prediction": ["x"] * 10 + ["y"] * 30})
    new = pd.DataFrame({"prediction": ["x"] * 30 + ["y"] * 10})
    found = judge(RIGHT, truth, old, new)
    assert (found.champion, found.challenger, found.gain) == (0.25, 0.75, 0.5)
    assert found.worst < 0.75


def test_the_verdict_says_what_it_rests_on():
    told = verdict([2.0] * 40, [1.0] * 40, margin=0.5).reason
    assert told == ("rmse 1 against 2 on 40 rows: better by 1, 95% interval 1 to 1, > 0.5")


def test_too_few_rows_are_refused():
    with pytest.raises(ValueError, match=r"at least 20 rows .* got 19"):
        verdict([1.0] * 19, [1.0] * 19)


def test_a_metric_without_a_value_is_refused():
    with pytest.raises(ValueError, match="r2 must have a value"):
        verdict([2.0] * 40, [1.0] * 40, measure("regression", "r2"))
