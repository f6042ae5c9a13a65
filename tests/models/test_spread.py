"""Mean and standard deviation of a few numbers, whatever their magnitude."""

import math

import pytest

from nettuner.models.spread import deviation, mean
from nettuner.models.study import Proposal, Trial


def test_the_deviation_is_that_of_a_sample():
    # Deviations from 4 are -2, 0, 0, 0, 2: squares sum to 8, divided by 5 - 1.
    values = [2.0, 4.0, 4.0, 4.0, 6.0]
    assert mean(values) == 4.0
    assert deviation(values) == math.sqrt(2)


@pytest.mark.parametrize("values", [[], [1.0], [1.0, math.nan], [1.0, math.inf]])
def test_there_is_no_deviation_of_one_value_or_of_one_that_is_not_finite(values):
    assert math.isnan(deviation(values))


def test_the_mean_of_what_is_not_finite_is_not_finite():
    assert mean([1.0, math.inf]) == math.inf
    assert math.isnan(mean([math.inf, -math.inf]))
    assert math.isnan(mean([1.0, math.nan]))


def test_the_largest_floats_have_a_mean():
    assert mean([1.5e308, 1.5e308]) == 1.5e308
    assert deviation([1e308, 1e308]) == 0


def test_a_trial_of_three_trainings_knows_the_standard_error_of_its_score():
    # The spread of 1, 2, 3 is 1; that of their mean is the root of 3 times smaller.
    trial = Trial(Proposal(0, {}), 2.0, scores=(1.0, 2.0, 3.0))
    assert trial.spread == 1
    assert trial.standard_error == pytest.approx(1 / math.sqrt(3))


def test_the_spread_of_a_single_training_is_unknown():
    trial = Trial(Proposal(0, {}), 2.0)
    assert trial.spread is None
    assert trial.standard_error is None
