"""Successive halving: who trains how far, and who goes on when."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from nettuner.models.space import Space
from nettuner.models.study import Proposal, Study, Trial
from nettuner.tasks import strategies
from nettuner.tasks.strategies.random_search import RandomSearch
from nettuner.tasks.strategies.successive_halving import SuccessiveHalving

SPACE = Space.model_validate({"x": {"distribution": "uniform", "low": 0, "high": 1}})


def halving(trials=None, epochs=27, **settings_):
    study = {
        "name": "halving",
        "learner": "mlp",
        "space": {"x": {"distribution": "uniform", "low": 0, "high": 1}},
        "metric": "val_loss",
        "epochs": epochs,
        "seed": 7,
        "strategy": {"name": "successive_halving", **settings_},
        "stop": {"trials": trials},
    }
    found = strategies.load(Study.model_validate(study))
    assert isinstance(found, SuccessiveHalving)
    return found


def ends(proposals, scores):
    """Trials of these proposals whose score is that of their configuration; None fails."""
    return [Trial(p, scores[p.member], None if scores[p.member] is not None else "failed")
            for p in proposals]  # fmt: skip


def steps(proposals):
    return [(proposal.member, proposal.until) for proposal in proposals]


@pytest.mark.parametrize(
    ("epochs", "given", "rungs"),
    [
        (27, {}, (1, 3, 9, 27)),
        (50, {}, (2, 6, 18, 50)),
        (50, {"shortest": 1}, (1, 3, 9, 27, 50)),
        (10, {}, (1, 3, 10)),  # 9 is nearly 10
        (100, {"shortest": 10, "eta": 4}, (10, 40, 100)),
        (2, {}, (1, 2)),
    ],
)
def test_rungs_are_so_many_times_as_far_and_the_last_is_the_whole_training(epochs, given, rungs):
    assert halving(epochs=epochs, **given).rungs == rungs


def test_one_third_goes_on_as_soon_as_three_have_ended():
    strategy = halving(trials=9)
    first = strategy.propose(SPACE, [], [], 9)
    assert steps(first) == [(member, 1) for member in range(9)]
    assert [proposal.parent for proposal in first] == [None] * 9
    scores = [0.5, 0.2, 0.8, 0.1, 0.9, 0.7, 0.3, 0.6, 0.4]
    two = ends(first[:2], scores)
    assert strategy.propose(SPACE, two, first[2:], 9) == []
    three = ends(first[:3], scores)
    (on,) = strategy.propose(SPACE, three, first[3:], 9)
    assert on == Proposal(9, first[1].params, 1, 1, 3)
    # Configuration 1 is among the best three of nine, and was promoted already.
    all_ = ends(first, scores)
    assert steps(strategy.propose(SPACE, all_, [on], 9)) == [(3, 3), (6, 3)]


def test_one_that_was_overtaken_later_does_not_go_on_but_one_promoted_before_stays():
    strategy = halving(trials=3)
    first = strategy.propose(SPACE, [], [], 3)
    early = ends(first, [0.3, 0.2, 0.1])
    (on,) = strategy.propose(SPACE, early, [], 3)
    assert steps([on]) == [(2, 3)]
    # Its next score is bad, but nobody else is at that rung: with three trials in all, it goes on
    # to the end, as one is to be trained in full.
    history = [*early, Trial(on, 0.9)]
    for until in (9, 27):
        (on,) = strategy.propose(SPACE, history, [], 3)
        assert steps([on]) == [(2, until)]
        history.append(Trial(on, 0.9))
    assert strategy.propose(SPACE, history, [], 3) == []


def test_the_furthest_go_on_first_and_new_ones_begin_last():
    strategy = halving()
    first = strategy.propose(SPACE, [], [], 9)
    history = ends(first, [k / 10 for k in range(9)])
    second = strategy.propose(SPACE, history, [], 3)
    assert steps(second) == [(0, 3), (1, 3), (2, 3)]
    history += ends(second, [k / 10 for k in range(9)])
    assert steps(strategy.propose(SPACE, history, [], 3)) == [(0, 9), (9, 1), (10, 1)]


def test_failed_ones_count_at_their_rung_and_never_go_on():
    strategy = halving(trials=6)
    first = strategy.propose(SPACE, [], [], 6)
    history = ends(first, [None, None, None, 0.4, None, None])
    assert steps(strategy.propose(SPACE, history, [], 6)) == [(3, 3)]
    all_failed = ends(first, [None] * 6)
    assert strategy.propose(SPACE, all_failed, [], 6) == []


def test_where_all_that_went_on_failed_the_next_best_is_trained_in_full():
    strategy = halving(trials=3, epochs=3)
    first = strategy.propose(SPACE, [], [], 3)
    history = ends(first, [0.1, 0.2, 0.3])
    for member in (0, 1, 2):
        (on,) = strategy.propose(SPACE, history, [], 3)
        assert steps([on]) == [(member, 3)]
        assert on.parent in strategy.needed(history, [])
        history.append(Trial(on, None, "failed"))
    assert strategy.propose(SPACE, history, [], 3) == []


def test_configurations_are_those_of_a_random_search_after_those_to_try_first():
    drawn = RandomSearch(seed=7).propose(SPACE, [], [], 3)
    first = halving(try_first=[{"x": 0.25}]).propose(SPACE, [], [], 3)
    assert [p.params["x"] for p in first] == [0.25, *(p.params["x"] for p in drawn[1:])]


def test_brackets_share_the_rounds():
    strategy = halving(brackets=4)  # 3, 2, 1 and no halvings: 27 / 4, 9 / 3, 3 / 2 and 1 of them
    found = strategy.brackets_of(147)  # 12 * (27 / 4 + 3 + 3 / 2 + 1) = 147
    assert [found.count(bracket) for bracket in range(4)] == [81, 36, 18, 12]
    assert found[:2] == [0, 1]
    starts = {proposal.until for proposal in strategy.propose(SPACE, [], [], 16)}
    assert starts == {1, 3, 9, 27}
    assert strategy.brackets_of(50) == found[:50]


def test_a_configuration_is_compared_within_its_bracket():
    strategy = halving(brackets=2)
    dealt = strategy.brackets_of(12)
    history = ends(strategy.propose(SPACE, [], [], 12), [k / 10 for k in range(12)])
    on = [p for p in strategy.propose(SPACE, history, [], 12) if p.parent is not None]
    quotas = [dealt.count(bracket) // 3 for bracket in range(2)]
    members = [[m for m in range(12) if dealt[m] == bracket] for bracket in range(2)]
    expected = [(m, 9) for m in members[1][: quotas[1]]] + [(m, 3) for m in members[0][: quotas[0]]]
    assert steps(on) == expected


def test_checkpoints_of_those_that_cannot_go_on_any_more_are_not_needed():
    strategy = halving(trials=9, epochs=3)
    first = strategy.propose(SPACE, [], [], 9)
    history = ends(first, [k / 10 for k in range(9)])
    assert strategy.needed(history, []) == set(range(9))  # none was trained in full yet
    on = strategy.propose(SPACE, history, [], 9)
    history += ends(on, [k / 10 for k in range(9)])
    # Three of nine have gone on, and no more than three ever may.
    assert strategy.needed(history, []) == set()
    assert strategy.needed(history[:-1], [on[-1]]) == {2}


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"eta": 1}, "eta must be at least 2, got 1; 3 lets the best third go on"),
        (
            {"shortest": 27},
            "shortest must be less than the whole training, got 27 of 27 rounds; lower it or "
            "train longer",
        ),
        (
            {"brackets": 5},
            r"brackets must be at most the number of rungs, 4 \(after 1, 3, 9, 27 rounds\), got 5; "
            "lower it",
        ),
    ],
)
def test_bad_settings_are_refused_with_a_way_out(settings_, message):
    with pytest.raises(ValidationError, match=message):
        halving(**settings_)


scores = st.one_of(st.none(), st.floats(0, 1), st.just(float("nan")))


@settings(max_examples=60, deadline=None)
@given(data=st.data(), trials=st.integers(1, 14), brackets=st.integers(1, 3),
       epochs=st.integers(2, 30), width=st.integers(1, 5))  # fmt: skip
def test_whoever_ends_first_it_goes_on_to_the_end_and_no_configuration_runs_twice_at_once(
    data, trials, brackets, epochs, width
):
    eta = data.draw(st.integers(2, 4))
    brackets = min(brackets, len(halving(epochs=epochs, eta=eta).rungs))
    strategy = halving(trials, epochs, eta=eta, brackets=brackets)
    history, pending = [], []
    while True:
        asked = strategy.propose(SPACE, history, pending, width - len(pending))
        if history and data.draw(st.booleans()):
            # A resume that has lost what was in flight asks for something that may begin, but once
            # one was trained in full not for what has fallen out of the best part since.
            alone = strategy.propose(SPACE, history, [], width)
            whole = any(t.succeeded and t.proposal.until == epochs for t in history)
            assert alone or not pending or whole
            shuffled = data.draw(st.permutations(history))
            assert strategy.propose(SPACE, shuffled, [], width) == alone
        pending += asked
        running = [proposal.member for proposal in pending]
        assert len(running) == len(set(running))
        if not pending:
            break
        parents = {p.parent for p in pending} - {None}
        assert parents <= strategy.needed(history, pending)
        ended = pending.pop(data.draw(st.integers(0, len(pending) - 1)))
        score = data.draw(scores)
        history.append(Trial(ended, score, "failed" if score is None else None))
    by_number = {trial.number: trial for trial in history}
    assert len(by_number) == len(history)
    assert {trial.proposal.member for trial in history} == set(range(trials))
    for trial in history:
        if trial.proposal.parent is not None:
            parent = by_number[trial.proposal.parent]
            assert parent.succeeded
            assert parent.proposal.member == trial.proposal.member
            assert parent.proposal.until < trial.proposal.until
    in_full = [t for t in history if t.succeeded and t.proposal.until == epochs]
    failed = {t.proposal.member for t in history if not t.succeeded}
    assert in_full or failed == set(range(trials))
