"""Who copied whom, and what a replay of the winner trains on."""

from __future__ import annotations

import pytest

from nettuner.models.study import Goal, Proposal, Study, Trial
from nettuner.tasks.strategies.population.lineage import (
    Copy,
    Phase,
    ancestry,
    changes,
    lineage,
    schedule,
    table,
)

GIVEN = {"name": "pair", "learner": "mlp", "metric": "loss", "space": {"rate": 0.1}}
STUDY = Study.model_validate({**GIVEN, "epochs": 7})


def segment(number: int, parent: int | None, score: float | None, **params: object) -> Trial:
    """Of a population of two, three rounds each, of seven in all."""
    until = min(7, 3 * (number // 2 + 1))
    return Trial(Proposal(number, params, parent, number % 2, until), score)  # type: ignore[arg-type]


TRIALS = [
    segment(0, None, 0.5, rate=0.1, kind="a"),
    segment(1, None, 0.9, rate=0.2, kind="b", depth=2),
    segment(2, 0, 0.4, rate=0.1, kind="a"),
    segment(3, 0, 0.3, rate=0.125, kind="a"),  # 1 copies 0
    segment(4, 3, None, rate=0.1, kind="b", depth=3),  # 0 copies 1
    segment(5, 3, 0.2, rate=0.125, kind="a"),
]
COPIES = [
    Copy(3, 3, 1, 0, 0.9, 0.5, {"rate": (0.1, 0.125)}),
    Copy(4, 6, 0, 1, 0.4, 0.3, {"rate": (0.125, 0.1), "kind": ("a", "b"), "depth": (None, 3)}),
]


def test_every_copy_is_a_row():
    assert lineage(TRIALS) == COPIES
    assert lineage(TRIALS[::-1]) == COPIES


def test_a_member_that_failed_has_no_score_when_it_copies():
    trials = [TRIALS[0], segment(1, None, float("nan"), rate=0.2), segment(3, 0, 0.1, rate=0.1)]
    assert lineage(trials) == [Copy(3, 3, 1, 0, None, 0.5, {"kind": ("a", None)})]


def test_trials_outside_of_a_population_copy_nobody():
    assert lineage([Trial(Proposal(0, {}), 0.1), Trial(Proposal(1, {}), 0.2)]) == []
    assert lineage([]) == []


def test_true_is_not_1():
    assert changes({"a": 1, "b": 2}, {"a": True, "b": 2}) == {"a": (1, True)}


def test_the_ancestors_of_the_winner():
    assert [trial.number for trial in ancestry(TRIALS, 5)] == [0, 3, 5]
    assert [trial.number for trial in ancestry(TRIALS[::-1], TRIALS[2])] == [0, 2]


@pytest.mark.parametrize(
    ("trials", "winner", "message"),
    [
        (TRIALS, 6, "the winner must be one of the 6 trials, got trial 6; give the whole history"),
        (TRIALS[1:], 5, "trial 3 must continue from an earlier one of the trials, got trial 0"),
        ([segment(2, 2, 0.1)], 2, "trial 2 must continue from an earlier one .*, got trial 2"),
    ],
)
def test_a_winner_without_its_past_is_refused(trials, winner, message):
    with pytest.raises(ValueError, match=message):
        ancestry(trials, winner)


def test_a_schedule_joins_segments_with_the_same_hyperparameters():
    assert schedule(TRIALS, 5) == [
        Phase(0, 3, {"rate": 0.1, "kind": "a"}),
        Phase(3, 7, {"rate": 0.125, "kind": "a"}),
    ]
    assert schedule(TRIALS, 2) == [Phase(0, 6, {"rate": 0.1, "kind": "a"})]


def test_a_trial_outside_of_a_population_is_a_schedule_of_one():
    assert schedule([Trial(Proposal(0, {"rate": 0.1}), 0.3, rounds=20)], 0) == [
        Phase(0, 20, {"rate": 0.1})
    ]


def test_a_table_says_who_copied_whom_and_what_changed():
    found = table(COPIES, TRIALS, STUDY, Goal("accuracy", "maximize"))
    assert found["after epoch"].tolist() == [3, 6]
    assert found["member"].tolist() == [1, 0]
    assert found["copied member"].tolist() == [0, 1]
    assert found["its accuracy"].tolist() == [-0.9, -0.4]
    assert found["copied accuracy"].tolist() == [-0.5, -0.3]
    assert found["rate before"].tolist() == [0.2, 0.1]  # the copying member's own
    assert found["rate after"].tolist() == [0.125, 0.1]
    assert found["kind before"].tolist() == ["b", "a"]
    assert found["kind after"].tolist() == ["a", "b"]
    assert found["explored"].tolist() == [
        "rate 0.1 -> 0.125",
        "rate 0.125 -> 0.1, kind a -> b, depth none -> 3",
    ]
    assert table([], TRIALS, STUDY, Goal("accuracy", "maximize")).empty


def test_a_table_of_a_study_that_counts_steps_says_so():
    by_steps = Study.model_validate({**GIVEN, "steps": 65, "evaluate_every": 10})
    found = table(COPIES, TRIALS, by_steps, Goal("loss", "minimize"))
    assert found["after step"].tolist() == [30, 60]
