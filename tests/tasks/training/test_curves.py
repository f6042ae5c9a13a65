"""What trials log becomes their curves: finite scores, their rounds, and all the time."""

from __future__ import annotations

import math

from nettuner.models.curve import Point
from nettuner.models.study import Goal, Proposal, Study
from nettuner.tasks.training.curves import Curves

FUNCTION = {
    "name": "curves",
    "learner": "functions.py:f",
    "space": {"x": [1]},
    "metric": "accuracy",
    "direction": "maximize",
}
GOAL = Goal("accuracy", "maximize")


def row(step, seconds=1.0, is_round=True, **metrics):
    return {"step": step, "seconds": seconds, "metrics": metrics, "round": is_round}


def curves(**changes):
    return Curves(Study.model_validate({**FUNCTION, **changes}), GOAL)


def test_a_training_of_so_many_rounds_counts_them_on_from_where_it_went_on():
    found = curves(steps=100, evaluate_every=20)
    found.begin(7, 2)
    found.add(7, [row(60, accuracy=0.5), row(80, accuracy=0.75)])
    assert found.of(7) == (Point(3, -0.5, 1.0), Point(4, -0.75, 1.0))


def test_the_rounds_of_a_function_are_the_steps_that_it_reports():
    found = curves()
    found.begin(0, 0)
    found.add(0, [row(100, accuracy=0.5)])
    found.add(0, [row(200, accuracy=0.25), row(200, 0.5, is_round=False, accuracy=1.0)])
    assert found.of(0) == (Point(100, -0.5, 1.0), Point(200, -0.25, 1.0))


def test_rounds_without_a_finite_score_have_no_point_but_their_time_counts():
    found = curves(epochs=4)
    found.begin(0, 0)
    lost = [row(1, accuracy=math.nan), row(2, accuracy=math.inf), row(3, loss=1.0)]
    found.add(0, [*lost, row(4, accuracy=0.5)])
    assert found.of(0) == (Point(4, -0.5, 4.0),)


def test_a_proposal_in_flight_is_told_with_its_curve():
    found, asked = curves(epochs=4), Proposal(3, {"x": 1})
    assert found.told(asked).curve == ()
    found.begin(3, 0)
    found.add(3, [row(1, 0.25, accuracy=0.5)])
    assert found.told(asked).curve == (Point(1, -0.5, 0.25),)
