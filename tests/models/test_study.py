"""The vocabulary: goals, trials, the best of them, and a study that survives JSON."""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from nettuner.models.study import Goal, Proposal, Study, Trial, best, free_numbers


def study(**changes):
    given = {
        "name": "digits",
        "learner": "mlp",
        "data": "digits",
        "space": {"lr": {"distribution": "log-uniform", "low": 1e-4, "high": 0.1}},
        "metric": "val_accuracy",
    }
    return Study.model_validate({**given, **changes})


def scored(*scores):
    return [Trial(Proposal(number, {}), score) for number, score in enumerate(scores)]


def test_a_goal_turns_the_sign_of_what_is_maximized_and_back():
    goal = Goal("accuracy", "maximize")
    assert goal.score({"accuracy": 0.9, "loss": 3.0}) == -0.9
    assert goal.value(-0.9) == 0.9


def test_a_goal_leaves_alone_what_is_minimized():
    goal = Goal("loss", "minimize")
    assert goal.score({"loss": 0.3}) == 0.3
    assert goal.value(0.3) == 0.3


def test_a_goal_needs_its_metric():
    with pytest.raises(KeyError, match="loss"):
        Goal("loss", "minimize").score({"accuracy": 1.0})


def test_data_may_be_split_at_characters_that_nobody_can_see():
    data = {"source": "csv", "path": "hive.csv", "target": "y", "separator": "\x01"}
    assert study(data=data).data.separator == "\x01"


@pytest.mark.parametrize("text", ["\x00", "\ud800"])
def test_no_option_may_hold_what_no_store_takes(text):
    with pytest.raises(ValidationError, match="text must be text that can be stored"):
        study(data={"source": "csv", "path": "hive.csv", "target": "y", "separator": text})


def test_no_name_may_hold_what_a_terminal_obeys():
    with pytest.raises(ValidationError, match="without control characters"):
        study(metric="loss\x1b[2J")


def test_the_best_trial_has_the_lowest_score_and_the_earliest_of_equals_wins():
    trials = scored(0.4, 0.2, None, 0.2, math.nan, -math.inf)
    assert best(trials) is trials[1]
    assert best(reversed(trials)) is trials[1]


def test_nothing_is_best_where_nothing_succeeded():
    assert best([]) is None
    assert best(scored(None, math.nan, math.inf)) is None


def test_holes_in_the_numbers_are_filled_first():
    history = [Trial(Proposal(number, {}), 0.0) for number in (0, 2, 5)]
    assert free_numbers(history, [Proposal(3, {})], 4) == [1, 4, 6, 7]
    assert free_numbers(history, [], 0) == []
    assert free_numbers([], [], 2) == [0, 1]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"data": {"source": "csv", "path": "a.csv", "target": "y", "separator": ";"}},
        {"data": {"source": "idx", "images": "a", "labels": "b", "validation": 0.1}},
        {"data": None, "learner": "f.py:f", "direction": "minimize"},
        {"strategy": {"name": "population", "size": 8, "perturb": 0.3}},
        {"strategy": "grid", "epochs": 5, "seed": 7, "width": 3, "trial_seconds": 2.5},
        {"steps": 100, "evaluate_every": 7, "stop": {"trials": 3, "target": -1, "patience": 2}},
        {
            "space": {
                "n": 5,
                "on": [True, 1, "yes", 0.5],
                "rate": {"distribution": "scipy", "name": "beta", "args": {"a": 2, "b": 3}},
                "width": {"distribution": "integer", "low": 1, "high": 64, "when": {"n": 5}},
            }
        },
    ],
)
def test_a_study_survives_json(changes):
    before = study(**changes)
    assert Study.model_validate_json(before.model_dump_json()) == before
    assert Study.model_validate(before.model_dump(mode="json")) == before


def test_a_strategy_may_be_named_alone_or_with_settings():
    assert study(strategy="grid").strategy.name == "grid"
    assert study(strategy="grid").strategy.settings == {}
    assert study(strategy={"name": "grid", "resolution": 3}).strategy.settings == {"resolution": 3}
    assert study().strategy.name == "random"


@pytest.mark.parametrize(
    ("length", "rounds", "unit"),
    [
        ({}, 0, "epochs"),
        ({"epochs": 7}, 7, "epochs"),
        ({"steps": 100}, 20, "rounds of 5 steps"),
        ({"steps": 101}, 17, "rounds of 6 steps"),
        ({"steps": 3}, 3, "rounds of 1 steps"),
        ({"steps": 100, "evaluate_every": 30}, 4, "rounds of 30 steps"),
        ({"steps": 10, "evaluate_every": 50}, 1, "rounds of 50 steps"),
    ],
)
def test_rounds_are_epochs_or_portions_of_the_steps(length, rounds, unit):
    assert (study(**length).rounds, study(**length).unit) == (rounds, unit)


@pytest.mark.parametrize(
    ("length", "message"),
    [
        (
            {"epochs": 3, "steps": 10},
            "epochs: give epochs or steps, not both, got epochs=3 and steps=10; drop one",
        ),
        (
            {"epochs": 3, "evaluate_every": 10},
            "evaluate_every: goes with steps, got evaluate_every=10 without steps; "
            "drop it or give steps",
        ),
    ],
)
def test_a_length_is_given_once(length, message):
    with pytest.raises(ValidationError) as caught:
        study(**length)
    assert str(caught.value.errors()[0]["ctx"]["error"]) == message


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        (
            {"device": "cuda:1", "devices": [0]},
            "device: names one GPU, got cuda:1 beside devices=[0]; drop one of them",
        ),
        (
            {"devices": [0, 1, 0]},
            "devices: must differ, got [0, 1, 0]; for several trials on one GPU give per_device",
        ),
    ],
)
def test_a_gpu_is_named_once(devices, message):
    with pytest.raises(ValidationError) as caught:
        study(**devices)
    assert str(caught.value.errors()[0]["ctx"]["error"]) == message


def test_the_same_bits_are_not_those_of_a_stack():
    with pytest.raises(ValidationError) as caught:
        study(deterministic=True, stack=8)
    assert str(caught.value.errors()[0]["ctx"]["error"]) == (
        "stack: the size of stacks is measured, and with it their bits change, got 8 beside "
        "deterministic: true; drop one of them"
    )
    assert study(deterministic=True, stack=1).deterministic


@pytest.mark.parametrize(
    "changes",
    [
        {"epochs": True},
        {"deterministic": 1},
        {"epochs": 0},
        {"epochs": 2.0},
        {"seed": -1},
        {"seed": 2**32},
        {"width": 0},
        {"trial_seconds": 0},
        {"stop": {"failures": 0}},
        {"stop": {"target": math.nan}},
        {"name": "two words"},
        {"name": "../up"},
        {"name": "line\n"},
        {"metrics": "loss"},
    ],
)
def test_what_makes_no_sense_is_refused(changes):
    with pytest.raises(ValidationError):
        study(**changes)


def test_a_study_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        study().epochs = 3
