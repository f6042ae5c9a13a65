"""Which round counts, and when a training is over."""

from __future__ import annotations

import math

import pytest

from nettuner.models.study import Goal, Study
from nettuner.models.training.course import Course


def course(values, direction="minimize", **more):
    study = Study(name="s", learner="mlp", space={"hidden": [4]}, metric="val_loss", **more)
    found = Course(Goal("val_loss", direction), study)
    for round_, value in enumerate(values, start=1):
        found.add(round_, {"val_loss": value, "round": round_})
    return found


@pytest.mark.parametrize(
    ("direction", "best"), [("minimize", 2), ("maximize", 3)], ids=["less", "more"]
)
def test_the_best_round_is_the_best_in_the_direction_of_the_metric(direction, best):
    found = course([2.0, 1.0, 3.0], direction, score="best")
    assert (found.best_round, found.best["round"]) == (best, best)
    assert found.is_best == (best == 3)
    assert found.best_counts


def test_of_equal_rounds_the_first_is_best():
    assert course([1.0, 1.0, 1.0]).best_round == 1


def test_a_training_is_over_after_as_many_rounds_without_a_better_one():
    assert not course([3.0, 2.0, 2.0, 2.5], patience_rounds=3).is_over
    assert course([3.0, 2.0, 2.0, 2.5, 2.0], patience_rounds=3).is_over
    assert not course([3.0, 2.0, 2.0, 2.5, 1.0], patience_rounds=3).is_over
    assert not course([3.0, 4.0, 5.0, 6.0]).is_over


def test_a_metric_that_is_no_number_is_never_the_best():
    assert course([math.nan, 2.0, math.nan]).best_round == 2
