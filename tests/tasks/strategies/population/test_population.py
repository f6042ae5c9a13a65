"""Population based training: who copies whom, and what a copy changes."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from nettuner.models.space import Space
from nettuner.models.study import Proposal, Study, Trial
from nettuner.tasks import strategies
from nettuner.tasks.strategies.population import Population
from nettuner.tasks.strategies.population.exploit import quota

LINE = Space.model_validate({"x": {"distribution": "uniform", "low": 0, "high": 1}})
MIXED = Space.model_validate(
    {
        "x": {"distribution": "uniform", "low": 0, "high": 1},
        "units": {"distribution": "integer", "low": 1, "high": 3},
        "kind": ["a", "b", "c"],
        "fixed": 1,
    }
)


def generation(of: list[Proposal], scores: list[float | None]) -> list[Trial]:
    return [Trial(proposal, score) for proposal, score in zip(of, scores, strict=True)]


def whole(population: Population, space: Space, score: Callable[[Proposal], Any]) -> list[Trial]:
    history: list[Trial] = []
    while batch := population.propose(space, history, [], 1000):
        history += [Trial(proposal, score(proposal)) for proposal in batch]
    return history


# Generations


def test_numbers_members_and_lengths():
    population = Population(size=3, interval=2, rounds=5, seed=0)
    trials = whole(population, LINE, lambda p: p.params["x"])
    assert [trial.number for trial in trials] == list(range(9))
    assert [trial.proposal.member for trial in trials] == [0, 1, 2] * 3
    assert [trial.proposal.until for trial in trials] == [2, 2, 2, 4, 4, 4, 5, 5, 5]
    assert population.size(LINE) == 9


def test_an_interval_longer_than_the_training_is_a_random_search():
    population = Population(size=3, interval=10, rounds=5, seed=0)
    trials = whole(population, LINE, lambda p: 0.0)
    assert [trial.proposal.until for trial in trials] == [5, 5, 5]
    assert all(trial.proposal.parent is None for trial in trials)


def test_the_worst_continues_from_the_best_and_the_others_from_themselves():
    population = Population(size=5, rounds=3, seed=0)
    first = population.propose(MIXED, [], [], 5)
    history = generation(first, [0.3, 0.1, 0.5, None, 0.2])
    second = population.propose(MIXED, history, [], 5)
    assert [proposal.parent for proposal in second] == [0, 1, 2, 1, 4]
    kept = [member for member in range(5) if member != 3]
    assert all(second[member].params == first[member].params for member in kept)
    assert second[3].params["x"] != first[1].params["x"]


@pytest.mark.parametrize("score", [math.inf, -math.inf, math.nan, None])
def test_a_score_that_is_not_finite_is_a_failure(score):
    population = Population(size=3, rounds=2, seed=0)
    history = generation(population.propose(LINE, [], [], 3), [0.2, score, 0.1])
    assert [p.parent for p in population.propose(LINE, history, [], 3)] == [0, 2, 2]


def test_nothing_is_proposed_when_everybody_failed():
    population = Population(size=3, rounds=2, seed=0)
    history = generation(population.propose(LINE, [], [], 3), [None, math.nan, math.inf])
    assert population.propose(LINE, history, [], 3) == []


def test_a_generation_waits_for_the_last_one_of_the_generation_before():
    population = Population(size=3, rounds=2, seed=0)
    first = population.propose(LINE, [], [], 3)
    history = generation(first[:2], [0.1, 0.2])
    assert population.propose(LINE, history, first[2:], 3) == []
    history += generation(first[2:], [0.3])
    assert [p.number for p in population.propose(LINE, history, [], 9)] == [3, 4, 5]


def test_members_lost_in_the_middle_come_back_with_what_they_had():
    population = Population(size=6, rounds=4, fraction=0.5, seed=1)
    trials = whole(population, MIXED, lambda p: p.params["x"] + p.number / 100)
    expected = [trial.proposal for trial in trials[12:18]]
    history = [*trials[:12], trials[13], trials[16]]
    assert population.propose(MIXED, history, [], 6) == [expected[k] for k in (0, 2, 3, 5)]
    assert population.propose(MIXED, history, [expected[0]], 1) == [expected[2]]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 100])
def test_asking_piecewise_changes_nothing(count):
    """More members than workers: whoever has a free place asks again, the others pending."""
    population = Population(size=6, rounds=4, fraction=0.5, seed=1)
    expected = whole(population, MIXED, lambda p: p.params["x"])
    history: list[Trial] = []
    pending: list[Proposal] = []
    while batch := population.propose(MIXED, history, pending, count):
        pending += batch
        ended = pending.pop(0)
        history.append(Trial(ended, ended.params["x"]))
        while pending and not population.propose(MIXED, history, pending, 1):
            ended = pending.pop()
            history.append(Trial(ended, ended.params["x"]))
    assert sorted(history, key=lambda t: t.number) == expected


def test_of_equals_another_one_is_the_best_in_each_generation():
    population = Population(size=3, interval=1, rounds=4, seed=0)
    trials = whole(population, LINE, lambda p: 0.5)
    sources = [(t.proposal.parent or 0) % 3 for t in trials[3:]]
    assert [sources[i : i + 3] for i in (0, 3, 6)] == [[0, 1, 0], [1, 1, 2], [0, 2, 2]]


def test_during_burn_in_only_failures_are_replaced():
    population = Population(size=4, interval=2, rounds=8, burn_in=4, fraction=0.5, seed=0)
    scores = {3: None, 0: 0.3, 1: 0.1, 2: 0.9}
    trials = whole(population, LINE, lambda p: scores[p.member] if p.number < 4 else p.member)
    parents = [trial.proposal.parent for trial in trials]
    assert parents[4:7] == [0, 1, 2]
    assert parents[7] in (0, 1)
    assert trials[7].proposal.params != trials[parents[7]].proposal.params
    # After 4 rounds the first comparison: the worse half, 2 and 3, copies 0 or 1.
    assert parents[8:10] == [4, 5]
    assert set(parents[10:12]) <= {4, 5}


def test_first_members_start_with_what_is_given():
    population = Population(size=3, rounds=2, seed=0, try_first=[{"x": 0.25}, {"kind": "c"}])
    drawn = Population(size=3, rounds=2, seed=0).propose(MIXED, [], [], 3)
    first = population.propose(MIXED, [], [], 3)
    assert first[0].params == {"x": 0.25, "units": 2, "kind": "b", "fixed": 1}
    assert first[1].params == {"x": 0.5, "units": 2, "kind": "c", "fixed": 1}
    assert first[2] == drawn[2]


@pytest.mark.parametrize(
    ("try_first", "message"),
    [
        ([{"x": 0.1}] * 3, "at most one configuration for each of the 2 members, got 3; drop some"),
        ([{"y": 1}], r"try_first\[0\]: must name dimensions of the space, got 'y'"),
        ([{}, {"x": 2}], r"try_first\[1\]: x must be one of its values, 0 to 1, got 2"),
    ],
)
def test_first_members_that_do_not_fit_are_refused(try_first, message):
    with pytest.raises(ValueError, match=message):
        Population(size=2, rounds=2, seed=0, try_first=try_first).size(LINE)


# Without waiting for each other


def test_a_member_goes_on_as_soon_as_its_own_segment_has_ended():
    population = Population(size=3, rounds=3, seed=0, asynchronous=True)
    first = population.propose(LINE, [], [], 3)
    history = generation(first[2:], [0.3])
    assert [p.number for p in population.propose(LINE, history, first[:2], 9)] == [5]
    (alone,) = population.propose(LINE, history, first[:2], 9)
    assert (alone.parent, alone.params) == (2, first[2].params)  # nobody to be compared with


def test_a_member_is_compared_with_those_that_were_at_its_step_before():
    population = Population(size=3, rounds=3, seed=0, asynchronous=True)
    first = population.propose(LINE, [], [], 3)
    history = generation([first[2], first[0]], [0.3, 0.5])
    second = population.propose(LINE, history, first[1:2], 9)
    assert [(p.number, p.parent) for p in second] == [(3, 2), (5, 2)]  # member 0 copies member 2
    history = generation([first[2], first[0]], [0.5, 0.3])
    second = population.propose(LINE, history, first[1:2], 9)
    assert [(p.number, p.parent) for p in second] == [(3, 0), (5, 0)]


def test_scores_of_other_steps_do_not_count():
    population = Population(size=3, rounds=3, seed=0, asynchronous=True)
    first = population.propose(LINE, [], [], 3)
    ahead = generation(first[:1], [0.9])
    second = population.propose(LINE, ahead, first[1:], 1)
    history = ahead + generation(second, [0.1])  # member 0 is much better a step later
    third = population.propose(LINE, history, first[1:], 9)
    assert [(p.number, p.parent, p.until) for p in third] == [(6, 3, 3)]
    history += generation(first[1:2], [0.5])  # member 1 is better than 0 was at that step
    assert [(p.number, p.parent) for p in population.propose(LINE, history, first[2:], 9)] == [
        (4, 1),
        (6, 3),
    ]


def test_those_behind_come_first():
    """So that members which share too few workers keep pace."""
    population = Population(size=4, rounds=3, seed=0, asynchronous=True)
    first = population.propose(LINE, [], [], 2)
    history = generation(first, [0.1, 0.2])
    assert [p.number for p in population.propose(LINE, history, [], 9)] == [2, 3, 4, 5]


def test_a_failed_member_waits_for_the_first_score_at_its_step():
    population = Population(size=3, rounds=3, seed=0, asynchronous=True)
    first = population.propose(LINE, [], [], 3)
    history = generation(first[:1], [None])
    assert population.propose(LINE, history, first[1:], 9) == []
    history += generation(first[1:2], [0.7])
    second = population.propose(LINE, history, first[2:], 9)
    assert [(p.number, p.parent) for p in second] == [(3, 1), (4, 1)]
    assert second[0].params != second[1].params


def test_it_ends_when_everybody_failed_at_the_same_step():
    population = Population(size=2, rounds=3, seed=0, asynchronous=True)
    first = population.propose(LINE, [], [], 2)
    assert population.propose(LINE, generation(first, [None, math.nan]), [], 9) == []


def played(population: Population, chance: random.Random, failing: float) -> list[Trial]:
    """A whole training whose segments end in random order, fail and get lost at random.

    Checkpoints that are not needed are deleted at once, as a search does.
    """
    history: list[Trial] = []
    pending: list[Proposal] = []
    checkpoints: set[int] = set()
    while True:
        given = population.propose(MIXED, history, pending, chance.randint(1, population.members))
        for proposal in given:
            assert proposal.parent is None or proposal.parent in checkpoints
        pending += given
        needed = population.needed(history, pending)
        assert needed <= checkpoints
        assert len(needed) <= bound(population, history)
        checkpoints = needed
        if not pending:
            return history
        ended = pending.pop(chance.randrange(len(pending)))
        if chance.random() < 0.05:
            continue  # lost, and asked for again
        history.append(
            Trial(ended, None if chance.random() < failing else chance.choice([1, 2, 3]))
        )
        chance.shuffle(history)
        checkpoints |= {ended.number} if history_of(history, ended.number).succeeded else set()
        checkpoints &= population.needed(history, pending)


def bound(population: Population, history: list[Trial]) -> int:
    """How many checkpoints may be needed, as `needed` says."""
    if not population.asynchronous:
        return population.members
    size, done = population.members, {trial.number for trial in history}
    each = [{k // size for k in done if k % size == member} for member in range(size)]
    steps = len(set.union(*each) - set.intersection(*each))
    most = size if population.selection == "tournament" else quota(population.fraction, size)
    return 2 * size + steps * most


def history_of(history: list[Trial], number: int) -> Trial:
    return next(trial for trial in history if trial.number == number)


SETTINGS = st.fixed_dictionaries(
    {
        "size": st.integers(2, 7),
        "interval": st.integers(1, 3),
        "rounds": st.just(6),
        "burn_in": st.integers(0, 4),
        "selection": st.sampled_from(["truncation", "tournament"]),
        "fraction": st.sampled_from([0.2, 0.34, 0.5]),
        "asynchronous": st.booleans(),
        "seed": st.integers(0, 5),
    }
)


CHANCE = st.integers(0, 10**6).map(random.Random)


@settings(max_examples=150, deadline=None)
@given(SETTINGS, CHANCE, st.sampled_from([0.0, 0.1, 0.5]))
def test_whatever_ends_fails_or_gets_lost(given, chance, failing):
    population = Population(**given)
    history = played(population, chance, failing)
    known = {trial.number: trial for trial in history}
    assert len(known) == len(history)
    size = population.members
    for trial in history:
        proposal = trial.proposal
        assert MIXED.contains(proposal.params)
        assert proposal.member == proposal.number % size
        if proposal.parent is None:
            assert proposal.number < size
            continue
        parent = known[proposal.parent]
        # Never across different steps, and only from somebody who has weights.
        assert parent.number // size == proposal.number // size - 1
        assert parent.succeeded
        own = known[proposal.number - size]
        if parent is own:
            assert proposal.params == own.proposal.params
        elif own.succeeded:
            assert proposal.until is not None
            assert parent.proposal.until >= population.burn_in
            assert parent.score <= own.score
    # The population never shrinks: everybody gets to the end, unless all failed at one step.
    if len(history) < population.size(MIXED):
        last = max(known) // size
        assert not any(t.succeeded for t in history if t.number // size == last)
        assert len(history) == (last + 1) * size


@settings(max_examples=100, deadline=None)
@given(SETTINGS, CHANCE, st.integers(0, 60))
def test_the_order_of_history_and_pending_makes_no_difference(given, chance, length):
    population = Population(**given)
    history = played(population, chance, 0.1)[:length]
    pending = population.propose(MIXED, history, [], 100)[::2]
    expected = population.propose(MIXED, history, pending, 100)
    needed = population.needed(history, pending)
    chance.shuffle(history)
    chance.shuffle(pending)
    assert population.propose(MIXED, history, pending, 100) == expected
    assert population.needed(history, pending) == needed


@pytest.mark.parametrize("selection", ["truncation", "tournament"])
def test_the_best_fraction_of_a_generation_goes_on_unchanged(selection):
    population = Population(size=10, interval=1, rounds=9, seed=0, selection=selection)
    chance = random.Random(0)
    trials = whole(population, MIXED, lambda p: chance.random())
    kept = 2 if selection == "truncation" else 1
    for first in range(0, 80, 10):
        best_first = sorted(trials[first : first + 10], key=lambda t: t.score or 0)
        for trial in best_first[:kept]:
            assert trials[trial.number + 10].proposal.parent == trial.number
            assert trials[trial.number + 10].proposal.params == trial.proposal.params


# Whose weights are needed


def test_weights_are_needed_until_nobody_can_continue_from_them():
    population = Population(size=5, interval=1, rounds=3, seed=0)
    first = population.propose(LINE, [], [], 5)
    assert population.needed([], first) == set()
    history = generation(first[:3], [0.3, 0.1, None])
    assert population.needed(history, first[3:]) == {0, 1}  # 2 has no score
    history += generation(first[3:], [0.5, 0.4])  # 2 copies 1, everybody else goes on
    assert population.needed(history, []) == {0, 1, 3, 4}
    second = population.propose(LINE, history, [], 5)
    assert population.needed(history, second) == {0, 1, 3, 4}
    history += generation(second[:1] + second[3:], [0.3, 0.5, 0.4])
    assert population.needed(history, second[1:3]) == {1, 5, 8, 9}  # 6 and 7 continue from 1
    history += generation(second[1:3], [0.1, 0.2])  # now 8 is the worst and copies 6
    assert population.needed(history, []) == {5, 6, 7, 9}
    third = population.propose(LINE, history, [], 5)
    history += generation(third[:4], [0.1, 0.1, 0.1, 0.1])
    assert population.needed(history, third[4:]) == {9}  # nobody continues from the end
    history += generation(third[4:], [0.1])
    assert population.needed(history, []) == set()


def test_without_waiting_the_best_of_a_step_are_kept_for_those_behind():
    population = Population(size=5, interval=1, rounds=3, seed=0, asynchronous=True)
    first = population.propose(LINE, [], [], 5)
    history = generation(first[:3], [0.1, 0.2, 0.3])
    second = population.propose(LINE, history, first[3:], 5)
    assert [proposal.parent for proposal in second] == [0, 1, 0]
    history += generation(second[1:], [0.2, 0.3])  # only 3 and 4 are behind: they may copy 0
    assert population.needed(history, [*first[3:], second[0]]) == {0, 6, 7}


# What a copy changes


def copies(population: Population, space: Space, many: int = 200) -> list[tuple[Any, Any]]:
    """Hyperparameters of winner and copy, in populations that differ by their seed."""
    found = []
    for seed in range(many):
        other = population.model_copy(update={"seed": seed})
        first = other.propose(space, [], [], 2)
        second = other.propose(space, generation(first, [0.1, 0.9]), [], 2)
        assert [proposal.parent for proposal in second] == [0, 0]
        found.append((first[0].params, second[1].params))
    return found


def test_a_copy_that_draws_nothing_anew_moves_by_one_step():
    population = Population(size=2, rounds=2, seed=0, resample=0, perturb=2)
    for winner, copy in copies(population, MIXED):
        if winner["x"] > 0.5:
            assert copy["x"] == pytest.approx(winner["x"] / 2) or copy["x"] == 1.0
        assert abs(copy["units"] - winner["units"]) == 1
        assert copy["kind"] != winner["kind"]
        assert copy["fixed"] == 1


def test_steps_go_up_as_often_as_down():
    population = Population(size=2, rounds=2, seed=0, resample=0, perturb=1.01)
    ups = sum(copy["x"] > winner["x"] for winner, copy in copies(population, LINE, 1000))
    # Binomial(1000, 1/2): sd 15.8. Six of them fail by chance about once in 10^8 runs.
    assert abs(ups - 500) < 6 * 15.8


def test_a_quarter_is_drawn_anew():
    population = Population(size=2, rounds=2, seed=0, resample=0.25, perturb=1.001)
    anew = sum(abs(c["x"] - w["x"]) > 0.0011 for w, c in copies(population, LINE, 1000))
    # Binomial(1000, 1/4): sd 13.7, two of those drawn land within a step. Six sd: once in 10^8.
    assert abs(anew - 250) < 6 * 13.7 + 2


def test_structural_hyperparameters_stay_with_the_weights():
    population = Population(size=2, rounds=2, seed=0, structural=frozenset({"units", "kind"}))
    for winner, copy in copies(population, MIXED):
        assert (copy["units"], copy["kind"]) == (winner["units"], winner["kind"])


def test_what_decides_whether_a_structural_dimension_exists_is_structural_too():
    space = Space.model_validate(
        {
            "deep": [True, False],
            "second": {"distribution": "integer", "low": 1, "high": 9, "when": {"deep": True}},
        }
    )
    population = Population(size=2, rounds=2, seed=0, structural=frozenset({"second"}))
    assert all(winner == copy for winner, copy in copies(population, space))


def test_dimensions_come_and_go_with_their_condition():
    space = Space.model_validate(
        {
            "optimizer": ["sgd", "adam"],
            "momentum": {
                "distribution": "uniform", "low": 0, "high": 1, "when": {"optimizer": "sgd"}
            },
        }
    )  # fmt: skip
    pairs = copies(Population(size=2, rounds=2, seed=0, resample=0), space)
    assert all(space.contains(copy) for _, copy in pairs)
    assert {(w["optimizer"], c["optimizer"]) for w, c in pairs} == {
        ("sgd", "adam"),
        ("adam", "sgd"),
    }


# Settings


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": 1}, "size >= 2, got 1"),
        ({"fraction": 0}, r"fraction must be in \(0, 0.5\], got 0; 0.2 replaces"),
        ({"fraction": 0.7}, r"fraction must be in \(0, 0.5\], got 0.7"),
        ({"resample": 1.5}, r"resample must be in \[0, 1\], got 1.5"),
        ({"perturb": 1}, r"perturb must be in \(1, 10\], got 1; 1.25 multiplies by 1.25 or by 0.8"),
        ({"perturb": 0.2}, r"perturb must be in \(1, 10\], got 0.2"),
        ({"selection": "roulette"}, "'truncation' or 'tournament'"),
        ({"burn_in": 3}, "less than the whole training, got burn_in=3 of 3 rounds"),
        ({"burn_in": -1}, "greater than or equal to 0"),
        ({"asynchronous": 1}, "valid boolean"),
        ({"interval": 0}, "greater than or equal to 1"),
    ],
)
def test_impossible_settings_are_refused(wrong, message):
    with pytest.raises(ValidationError, match=message):
        Population(**{"rounds": 3, "seed": 0, **wrong})


def study(**other: Any) -> Study:
    described = {
        "name": "p", "learner": "mlp", "metric": "m", "space": {"x": [1, 2]}, "epochs": 7,
        "seed": 3, "strategy": {"name": "population"},
    }  # fmt: skip
    return Study.model_validate(described | other)


def test_a_study_gives_seed_length_and_usual_size():
    population = strategies.load(study(stop={"trials": 30}), structural=["x"])
    assert population == Population(size=30, rounds=7, seed=3, structural=frozenset({"x"}))
    assert strategies.load(study()) == Population(size=16, rounds=7, seed=3)
    chosen = {"name": "population", "size": 4, "interval": 2}
    assert strategies.load(study(strategy=chosen)) == Population(
        size=4, interval=2, rounds=7, seed=3
    )


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"epochs": None}, "needs a study with a length, got neither epochs nor steps; give"),
        (
            {"stop": {"trials": 5}, "strategy": {"name": "population", "size": 8}},
            "stop.trials >= size, got stop.trials=5 and size=8",
        ),
    ],
)
def test_a_study_that_no_population_fits_is_refused(other, message):
    with pytest.raises(ValueError, match=message):
        strategies.load(study(**other))
