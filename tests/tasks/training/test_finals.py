"""The finals: the best mean over seeds wins, not the luckiest single training."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from nettuner.models.study import Proposal, Trial
from nettuner.tasks.strategies.population.lineage import Phase
from nettuner.tasks.training.finals import Finalist, Finals, finalists

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
    # A: 0.1 and 0.9, mean 0.5. B: 0.3 and 0.4, mean 0.35.
    history = ended(WHOLE, [0.1, 0.9, 0.3, 0.4])
    (first, trained), (second, _) = WHOLE.ranked(history)
    assert (first, second) == (1, 0)
    assert [trial.number for trial in trained] == [2, 3]


def test_a_configuration_that_failed_with_a_seed_comes_after_one_that_never_did():
    def places(*scores):
        return [place for place, _ in WHOLE.ranked(ended(WHOLE, scores))]

    assert places(0.1, None, 0.8, 0.9) == [1, 0]
    assert places(0.1, None, None, None) == [0]
    assert places(None, None, None, None) == []


def test_a_finalist_is_its_trial_with_the_mean_of_the_finals_and_the_best_weights():
    searched = Trial(Proposal(17, A), 0.1, metrics={"loss": 0.1}, checkpoint="old", ended=9.0)
    trained = [
        Trial(Proposal(4, A), 0.5, None, 2.0, {"loss": 0.5}, 4, "four", 5.0),
        Trial(Proposal(5, A), 0.3, None, 2.0, {"loss": 0.3}, 4, "five", 6.0),
    ]
    found = Finalist(searched, ()).after(trained)
    assert (found.number, found.score, found.scores) == (17, 0.4, (0.5, 0.3))
    assert (found.checkpoint, found.rounds, found.seconds, found.ended) == ("five", 8, 4.0, 6.0)
    assert found.metrics == {"loss": 0.4, "loss_std": pytest.approx(0.2 / 2**0.5)}


def test_the_spread_of_a_finalist_is_over_its_seeds_also_where_each_has_one_over_its_folds():
    def trained(number, loss):
        metrics = {"loss": loss, "loss_std": 9.0}
        return Trial(Proposal(number, A), loss, metrics=metrics, scores=(loss - 1, loss + 1))

    found = Finalist(Trial(Proposal(17, A), 0.1), ()).after([trained(4, 1.0), trained(5, 3.0)])
    # 1 and 3 are 1 from their mean: the root of 2 x 1.
    assert found.metrics == {"loss": 2.0, "loss_std": pytest.approx(2**0.5)}
    assert found.spread == pytest.approx(2**0.5)


def test_of_one_seed_no_spread_is_known():
    found = Finalist(Trial(Proposal(17, A), 0.1), ()).after([Trial(Proposal(4, A), 0.5)])
    assert (found.score, found.scores, found.spread) == (0.5, (), None)


def test_a_schedule_is_trained_phase_after_phase_from_the_weights_before():
    first = IN_PHASES.propose(None, [], [], 99)
    assert [(p.number, p.parent, p.until) for p in first] == [(0, None, 2), (2, None, 2)]
    history = [Trial(first[0], 0.5), Trial(first[1], None, "failed")]
    (second,) = IN_PHASES.propose(None, history, [], 99)
    assert (second.number, second.parent, second.member, second.params) == (1, 0, 0, B)


def test_the_end_of_a_schedule_counts_and_only_what_was_gone_on_from_may_be_deleted():
    history = ended(IN_PHASES, [0.1, 0.6, 0.2, 0.5])  # the first phases look better
    assert [trial.number for trial in IN_PHASES.ranked(history)[0][1]] == [1, 3]
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
    assert [(f.trial.number, f.phases) for f in found] == [
        (1, (Phase(0, 4, A),)),
        (2, (Phase(0, 4, B),)),
    ]


def test_the_finalists_of_a_population_are_trained_on_their_schedules():
    segments = [
        Trial(Proposal(0, A, None, 0, 2), 0.5),
        Trial(Proposal(1, B, None, 1, 2), 0.6),
        Trial(Proposal(2, A, 0, 0, 4), 0.4),
        Trial(Proposal(3, B, 0, 1, 4), 0.3),  # member 1 went on from a copy of member 0
    ]
    first, second = finalists(ROUNDS, segments, 5)
    assert first.phases == (Phase(0, 2, A), Phase(2, 4, B))
    assert second.phases == (Phase(0, 4, A),)
