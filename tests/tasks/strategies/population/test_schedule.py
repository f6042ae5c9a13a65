"""A schedule written down, and what is asked for when it is replayed."""

from __future__ import annotations

from nettuner.models.study import Goal, Proposal, Study, Trial
from nettuner.tasks.strategies.population.lineage import Phase
from nettuner.tasks.strategies.population.schedule import proposals, written

PHASES = [Phase(0, 3, {"rate": 0.1}), Phase(3, 7, {"rate": 0.125})]
TRIALS = [
    Trial(Proposal(0, {"rate": 0.1}, None, 0, 3), -0.5),
    Trial(Proposal(3, {"rate": 0.125}, 0, 1, 7), -0.75),
]


def study(**length):
    given = {"name": "pair", "learner": "mlp", "metric": "accuracy", "space": {"rate": 0.1}}
    return Study.model_validate({**given, **length})


def test_a_replay_asks_for_a_segment_after_the_other():
    assert proposals(PHASES, 1) == [
        Proposal(0, {"rate": 0.1}, None, 1, 3),
        Proposal(1, {"rate": 0.125}, 0, 1, 7),
    ]


def test_a_schedule_says_whose_it_is_and_what_it_was_worth():
    told = written(study(epochs=7), Goal("accuracy", "maximize"), TRIALS, TRIALS[1], PHASES)
    assert told["member"] == 1
    assert told["ancestry"] == [0, 3]
    assert told["value"] == 0.75
    assert told["steps_are"] == "epochs"
    assert [phase["hyperparameters"] for phase in told["phases"]] == [p.params for p in PHASES]


def test_phases_are_told_in_rounds_and_in_steps_and_the_last_round_may_be_shorter():
    by_steps = study(steps=65, evaluate_every=10)
    told = written(by_steps, Goal("accuracy", "maximize"), TRIALS, TRIALS[1], PHASES)
    assert told["steps_are"] == "optimiser steps"
    rounds = [(phase["from_round"], phase["until_round"]) for phase in told["phases"]]
    steps = [(phase["from_step"], phase["until_step"]) for phase in told["phases"]]
    assert rounds == [(0, 3), (3, 7)]
    assert steps == [(0, 30), (30, 65)]
