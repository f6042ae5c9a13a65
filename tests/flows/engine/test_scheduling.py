"""The places of a search: what is asked for, what is trained together, what is kept."""

from __future__ import annotations

import functools
import math
from dataclasses import replace

import numpy as np
import pytest

from nettuner.flows.engine.scheduling import Scheduler
from nettuner.models.study import Proposal, Study, Trial
from nettuner.tasks.plan import make_plan

STUDY = {
    "name": "places",
    "learner": "mlp",
    "data": "iris",
    "space": {
        "hidden": [4, 8],  # fixes the shape of the weights: what differs in it is not stacked
        "learning_rate": {"distribution": "log-uniform", "low": 0.001, "high": 0.1},
    },
    "metric": "val_loss",
    "epochs": 3,
}
POPULATION = {"name": "population", "size": 4, "interval": 1}  # 4 members, 3 segments each
ASYNCHRONOUS = {**POPULATION, "asynchronous": True}


@functools.cache
def settled(strategy):
    """The plan of a study that ends after twelve trials."""
    chosen = {"population": POPULATION, "asynchronous": ASYNCHRONOUS}.get(strategy, strategy)
    given = {**STUDY, "strategy": chosen, "stop": {"trials": 12}}
    return make_plan(Study.model_validate(given))


def scheduler(strategy="random", history=(), **changes):
    """Places for two at a time, nothing stacked, unless these are changed in the plan."""
    return Scheduler(replace(settled(strategy), **{"width": 2, "stack": 1, **changes}), history)


def of(*hidden, first=0, **more):
    """Proposals `first`, `first` + 1, ... with these widths of a layer."""
    return [
        Proposal(first + k, {"hidden": h, "learning_rate": 0.01}, **more)
        for k, h in enumerate(hidden)
    ]


def ended(*scores, first=0):
    """Trials `first`, `first` + 1, ...; those whose score is None have failed."""
    return [
        Trial(proposal, score, None if score is not None else "failed")
        for proposal, score in zip(of(*[4] * len(scores), first=first), scores, strict=True)
    ]


def numbers(proposals):
    return [proposal.number for proposal in proposals]


# Places


def test_at_first_all_places_are_free_and_everything_is_left():
    places = scheduler()
    assert (places.free, places.left, places.running, places.best) == (2, 12, [], None)


def test_as_many_groups_may_be_in_flight_as_there_are_workers():
    places = scheduler(width=3)
    places.waiting += of(4, 4, 8, 8, 4)
    assert places.free == 3
    assert [numbers(places.take()) for _ in range(3)] == [[0], [1], [2]]
    assert places.free == 0
    assert numbers(places.running) == [0, 1, 2]
    assert numbers(places.waiting) == [3, 4]


def test_a_group_that_ends_frees_one_place_however_many_it_trained():
    places = scheduler(stack=2)
    places.waiting += of(4, 4, 4, 4)
    assert [numbers(places.take()), numbers(places.take())] == [[0, 1], [2, 3]]
    assert (places.free, numbers(places.running)) == (0, [0, 1, 2, 3])
    assert numbers(places.end(2)) == [2, 3]  # a group goes by the number of its first
    assert (places.free, numbers(places.running)) == (1, [0, 1])
    assert numbers(places.end(0)) == [0, 1]
    assert (places.free, places.running, places.groups) == (2, [], {})


def test_a_group_ends_once():
    places = scheduler()
    places.waiting += of(4)
    places.take()
    places.end(0)
    with pytest.raises(KeyError):
        places.end(0)


# How many are asked for


@pytest.mark.parametrize(
    ("trials", "history", "running", "left"),
    [
        (12, 0, 0, 12),
        (12, 3, 0, 9),
        (12, 3, 2, 7),  # who runs counts as if it had ended
        (12, 10, 2, 0),
        (None, 3, 2, 256),  # no end: a portion at a time
    ],
)
def test_the_trials_that_are_left_are_those_that_neither_ended_nor_run(
    trials, history, running, left
):
    places = scheduler(history=ended(*[0.5] * history), trials=trials)
    places.waiting += of(*[4] * running, first=history)
    for _ in range(running):
        places.take()
    assert places.left == left


def test_failed_trials_are_spent_as_well():
    assert scheduler(history=ended(None, 0.5, math.nan)).left == 9


@pytest.mark.parametrize(("trials", "wanted"), [(1, 1), (255, 255), (256, 256), (257, 256)])
def test_a_random_search_is_asked_for_all_at_once_but_at_most_256(trials, wanted):
    assert scheduler("random", trials=trials).wanted == wanted


@pytest.mark.parametrize("strategy", ["random", "grid"])
def test_what_does_not_learn_is_asked_without_waiting_for_who_runs(strategy):
    places = scheduler(strategy, trials=12)
    places.waiting += of(4)
    places.take()
    assert places.wanted == 11


@pytest.mark.parametrize(
    ("width", "stack", "running", "wanted"),
    [
        (3, 1, 0, 3),
        (3, 1, 1, 2),
        (3, 1, 3, 0),
        (3, 4, 1, 8),  # two free places with four trials each
        (3, 5, 0, 12),  # no more than the trials that are left
        (20, 1, 4, 8),
    ],
)
@pytest.mark.parametrize("strategy", ["bayesian", "asynchronous"])
def test_what_gets_better_by_waiting_is_asked_for_no_more_than_can_be_started(
    strategy, width, stack, running, wanted
):
    places = scheduler(strategy, trials=12, width=width, stack=stack)
    places.groups = {proposal.number: [proposal] for proposal in of(*[4] * running)}
    assert places.wanted == wanted


def test_a_population_is_asked_for_a_generation_when_everybody_has_ended_the_one_before():
    places = scheduler("population")
    assert places.plan.trials == 12  # 4 members, 3 segments each
    assert places.wanted == 12
    asked = places.plan.strategy.propose(places.plan.study.space, [], [], places.wanted)
    assert numbers(asked) == [0, 1, 2, 3]  # the first generation is all that it can tell
    places.waiting += asked
    for number in (0, 1):
        places.take()
        places.end(number)
        places.add(Trial(asked[number], 0.5))
    places.take()
    assert places.wanted == 0
    places.take()
    places.end(2)
    places.add(Trial(asked[2], 0.5))
    assert places.wanted == 0  # member 3 still runs
    places.end(3)
    places.add(Trial(asked[3], 0.5))
    assert places.wanted == 8


def test_a_population_of_more_than_256_is_asked_for_whole():
    assert scheduler("population", trials=900).wanted == 900


# What is trained together


def test_alike_are_stacked_a_fair_share_at_a_time_and_the_others_keep_their_order():
    places = scheduler(width=2, stack=64)
    places.waiting += of(4, 8, 4, 4, 8, 4, 4)
    # Five of hidden 4 for two workers: three. Then both of hidden 8 for two workers: one.
    assert numbers(places.take()) == [0, 2, 3]
    assert numbers(places.waiting) == [1, 4, 5, 6]
    assert numbers(places.take()) == [1]
    assert numbers(places.waiting) == [4, 5, 6]
    places.end(0)
    # Who has ended and who runs makes no difference to who is trained together.
    assert numbers(places.take()) == [4]
    places.end(1)
    assert numbers(places.take()) == [5, 6]
    assert {first: numbers(group) for first, group in places.groups.items()} == {4: [4], 5: [5, 6]}


def test_what_comes_later_is_shared_out_when_all_before_has_begun():
    places = scheduler(width=2, stack=64)
    places.waiting += of(4, 4, 4)
    assert numbers(places.take()) == [0, 1]
    places.waiting += of(4, 4, 4, 4, first=3)
    places.end(0)
    assert numbers(places.take()) == [2]
    places.end(2)
    assert [numbers(places.take()), numbers(places.take())] == [[3, 4], [5, 6]]


def test_a_stack_holds_no_more_than_it_may():
    places = scheduler(width=1, stack=3)
    places.waiting += of(4, 4, 4, 4, 4)
    assert numbers(places.take()) == [0, 1, 2]


def test_segments_are_stacked_where_their_weights_come_from_the_same_round():
    earlier = [
        Trial(Proposal(0, {"hidden": 4}, None, 0, 1), 0.5),
        Trial(Proposal(1, {"hidden": 4}, None, 1, 2), 0.5),
        Trial(Proposal(2, {"hidden": 4}, None, 2, 1), 0.5),
    ]
    places = scheduler("asynchronous", history=earlier, width=1, stack=64)
    places.waiting += [Proposal(4 + k, {"hidden": 4}, k, k, 3) for k in range(3)]
    assert numbers(places.take()) == [4, 6]
    assert numbers(places.waiting) == [5]


def test_the_parent_is_the_trial_whose_weights_are_continued():
    history = ended(0.5, 0.6)
    places = scheduler("population", history=history)
    assert places.parent(Proposal(4, {}, parent=1)) is history[1]
    assert places.parent(Proposal(4, {}, parent=None)) is None
    assert places.parent(Proposal(4, {}, parent=3)) is None  # not ended


# The history and the best


def test_a_trial_is_the_best_where_its_score_is_lower_than_all_before():
    places = scheduler()
    scores = [None, 0.5, 0.6, math.nan, 0.4, math.inf, 0.4, -math.inf, 0.3]
    #         -     best                    best             -         best
    found = [places.add(trial) for trial in ended(*scores)]
    assert found == [False, True, False, False, True, False, False, False, True]
    assert (places.best.number, places.best.score) == (8, 0.3)
    assert [trial.number for trial in places.history] == list(range(9))


def test_of_equals_the_lower_number_is_the_best_whoever_ended_first():
    first, second, third = ended(0.5, 0.5, 0.5)
    places = scheduler()
    assert places.add(second)
    assert not places.add(third)
    assert places.add(first)
    assert places.best is first
    assert places.history == [second, third, first]


def test_the_best_is_kept_when_later_trials_fail():
    places = scheduler()
    assert [places.add(trial) for trial in ended(0.5, None, None)] == [True, False, False]
    assert places.best.number == 0


@pytest.mark.parametrize(
    ("strategy", "needed"),
    # A Bayesian search may answer with another one of its best, where trials are noisy.
    [("random", {1}), ("bayesian", {0, 1})],
)
def test_where_every_trial_starts_anew_those_that_may_win_are_needed(strategy, needed):
    places = scheduler(strategy)
    assert places.needed() == set()
    for trial in ended(0.5, 0.4, None):
        places.add(trial)
    places.waiting += of(4, first=3)
    assert places.needed() == needed


@pytest.mark.parametrize(
    ("parents", "needed"),
    [
        ([4, 5, 6, 4], {0, 4, 5, 6}),
        ([7, 5, 6, 4], {0, 4, 5, 6, 7}),  # a parent of one that runs
        ([4, 5, 6, 7], {0, 4, 5, 6, 7}),  # of the one that waits
    ],
)
def test_a_population_needs_the_parents_of_all_that_waits_or_runs_and_the_best(parents, needed):
    # Trial 0 is the best of all. In the second generation a fifth of four is one: the worst, 7,
    # would go on from the best, 4, and the others from themselves.
    history = ended(0.1, 0.6, 0.7, 0.8, 0.2, 0.3, 0.4, 0.5)
    places = scheduler("population", history=history, width=3)
    places.waiting += [
        Proposal(8 + member, {"hidden": 4}, parent, member, 3)
        for member, parent in enumerate(parents)
    ]
    for _ in range(3):
        places.take()
    assert numbers(places.waiting) == [11]
    assert places.needed() == needed


def test_a_population_whose_members_all_copy_the_best_needs_that_one_alone():
    history = [
        Trial(replace(proposal, member=k, until=1), score)
        for k, (proposal, score) in enumerate(
            zip(of(4, 4, 4, 4), [0.1, 0.9, 0.8, 0.7], strict=True)
        )
    ]
    places = scheduler("population", history=history)
    places.waiting += of(4, 4, 4, 4, first=4, parent=0)
    # Of those behind, 1 would go on from 0 and the others from themselves: they are needed too.
    assert places.needed() == {0, 2, 3}


# Resumed


def test_a_resumed_search_goes_on_with_its_history_and_its_best():
    history = ended(0.5, 0.3, None, 0.4)
    places = scheduler(history=history)
    assert (places.best, places.history) == (history[1], history)
    assert (places.left, places.wanted, places.free) == (8, 8, 2)
    assert (list(places.waiting), places.running) == ([], [])
    assert places.needed() == {1}
    assert not places.add(*ended(0.3, first=4))
    assert places.add(*ended(0.2, first=5))


def test_the_history_that_was_given_stays_as_it_was():
    history = ended(0.5)
    scheduler(history=history).add(*ended(0.4, first=1))
    assert len(history) == 1


def test_a_resumed_search_that_never_succeeded_has_no_best():
    places = scheduler(history=ended(None, math.nan))
    assert places.best is None
    assert places.needed() == set()


# All together


def searched(places, order):
    """Search as the engine does, where `order` says which group ends next; gives the groups."""
    plan, groups = places.plan, []
    while True:
        while places.free:
            if not places.waiting:
                count = places.wanted if places.left > 0 else 0
                asked = plan.strategy.propose(
                    plan.study.space, places.history, places.running, count
                )
                assert len(asked) <= count
                places.waiting += asked
            if not places.waiting:
                break
            groups.append(numbers(places.take()))
            assert len(places.groups) <= plan.width
        if not places.groups:
            return groups
        first = order.choice(list(places.groups))
        for proposal in places.end(first):
            places.add(Trial(proposal, float(order.random())))


@pytest.mark.parametrize("stack", [1, 3])
@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("strategy", ["random", "grid", "bayesian", "population", "asynchronous"])
def test_each_trial_is_trained_once_and_the_best_is_found_whoever_ends_first(
    strategy, width, stack
):
    places = scheduler(strategy, width=width, stack=stack)
    groups = searched(places, np.random.default_rng([width, stack]))
    total = places.plan.trials
    assert sorted(number for group in groups for number in group) == list(range(total))
    assert max(map(len, groups)) <= stack
    assert len(places.history) == total
    assert places.best.score == min(trial.score for trial in places.history)
    assert (places.left, places.wanted, places.free) == (0, 0, width)
    if strategy == "population":
        assert [group[0] // 4 for group in groups] == sorted(group[0] // 4 for group in groups)


def test_stacks_are_really_made_in_such_a_search():
    groups = searched(scheduler(width=1, stack=3), np.random.default_rng(0))
    assert 3 in map(len, groups)
