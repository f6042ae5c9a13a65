"""The finals: the best mean over seeds wins, not the luckiest single training."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from nettuner.models.study import Proposal, Trial
from nettuner.tasks.strategies.population.lineage import Phase
from nettuner.tasks.training.finals import Finals, finalists, mean

ROUNDS = SimpleNamespace(rounds=4)
A, B = {"rate": 0.1}, {"rate": 0.2}
WHOLE = Finals(((Phase(0, 4, A),), (Phase(0, 4, B),)), seeds=2)
IN_PHASES = Finals(((Phase(0, 2, A), Phase(2, 4, B)),), seeds=2)


def ended(strategy, scores):
    """All that a strategy asks for, with these scores by number; None failed."""
    history = []
    while asked := strategy.propose(None, history, [], 99):
        history += [
            Trial(proposal, scores[proposal.number], None if scores[proposal.number] else "failed")
            for proposal in asked
        ]
    return history


def test_each_finalist_is_trained_with_each_seed_as_a_member_of_its_own():
    asked = WHOLE.propose(None, [], [], 99)
    assert [(p.number, p.member, p.params, p.until) for p in asked] == [
        (0, 0, A, 4),
        (1, 1, A, 4),
        (2, 2, B, 4),
        (3, 3, B, 4),
    ]
    assert WHOLE.size(None) == 4
    assert WHOLE.propose(None, [], asked, 99) == []
    assert [p.number for p in WHOLE.propose(None, [], asked[:1], 2)] == [1, 2]


def test_the_best_mean_wins_although_another_had_the_best_single_training():
    # A: 0.1 and 0.9, mean 0.5. B: 0.3 and 0.4, mean 0.35; its better one is trial 2.
    history = ended(WHOLE, [0.1, 0.9, 0.3, 0.4])
    assert WHOLE.winner(history).number == 2


def test_a_configuration_that_failed_with_a_seed_comes_after_one_that_never_did():
    assert WHOLE.winner(ended(WHOLE, [0.1, None, 0.8, 0.9])).number == 2
    assert WHOLE.winner(ended(WHOLE, [0.1, None, None, None])).number == 0
    assert WHOLE.winner(ended(WHOLE, [None] * 4)) is None


def test_a_schedule_is_trained_phase_after_phase_from_the_weights_before():
    first = IN_PHASES.propose(None, [], [], 99)
    assert [(p.number, p.parent, p.until) for p in first] == [(0, None, 2), (2, None, 2)]
    history = [Trial(first[0], 0.5), Trial(first[1], None, "failed")]
    (second,) = IN_PHASES.propose(None, history, [], 99)
    assert (second.number, second.parent, second.member, second.params) == (1, 0, 0, B)


def test_the_end_of_a_schedule_counts_and_only_what_was_gone_on_from_may_be_deleted():
    history = ended(IN_PHASES, [0.1, 0.6, 0.2, 0.5])  # the first phases look better
    assert IN_PHASES.winner(history).number == 3
    assert IN_PHASES.needed(history, []) == {1, 3}


def test_the_finalists_of_a_search_are_its_best_whole_trials_no_two_alike():
    def trial(number, params, score, until=None):
        return Trial(Proposal(number, params, until=until), score)

    trials = [
        trial(0, A, 0.3),
        trial(1, A, 0.2),  # the same once more, and better
        trial(2, B, 0.25),
        trial(3, {"rate": 0.3}, None),
        trial(4, {"rate": 0.4}, 0.1, until=2),  # only half of a training
        trial(5, {"rate": 0.5}, 0.4),
    ]
    found = finalists(ROUNDS, trials, 2)
    assert found == ((Phase(0, 4, A),), (Phase(0, 4, B),))


def test_the_finalists_of_a_population_are_trained_on_their_schedules():
    segments = [
        Trial(Proposal(0, A, None, 0, 2), 0.5),
        Trial(Proposal(1, B, None, 1, 2), 0.6),
        Trial(Proposal(2, A, 0, 0, 4), 0.4),
        Trial(Proposal(3, B, 0, 1, 4), 0.3),  # member 1 went on from a copy of member 0
    ]
    first, second = finalists(ROUNDS, segments, 5)
    assert first == (Phase(0, 2, A), Phase(2, 4, B))
    assert second == (Phase(0, 4, A),)


@pytest.mark.parametrize(("scores", "expected"), [([1.0, 2.0], 1.5), ([], math.inf)])
def test_the_mean_of_nothing_is_infinite(scores, expected):
    assert mean([Trial(Proposal(0, {}), score) for score in scores]) == expected
