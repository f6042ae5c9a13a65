"""Which proposals are trained next, and together with which."""

from dataclasses import replace

import pytest

from nettuner.flows.engine.scheduling import BATCH, Scheduler
from nettuner.models.study import Proposal, Study, Trial
from nettuner.tasks.plan import make_plan


def plan(strategy="random", trials=6, **changes):
    """A plan for a tiny network; two workers, stacks of four."""
    study = Study.model_validate(
        {
            "name": "scheduled",
            "learner": "mlp",
            "data": "iris",
            "metric": "val_loss",
            "epochs": 8,
            "space": {
                "hidden": [4, 8],
                "learning_rate": {"distribution": "log-uniform", "low": 0.001, "high": 0.1},
            },
            "strategy": strategy,
            "stop": {"trials": trials},
        }
    )
    return replace(make_plan(study), **{"width": 2, "stack": 4, **changes})


def proposal(number, hidden=4, **more):
    return Proposal(number, {"hidden": hidden, "learning_rate": 0.01}, **more)


def trial(number, score=0.5, **more):
    return Trial(proposal(number), score, **more)


def test_at_first_all_places_are_free_and_everything_is_left():
    scheduler = Scheduler(plan(), [])
    assert (scheduler.free, scheduler.left, scheduler.running, scheduler.best) == (2, 6, [], None)


def test_a_worker_takes_its_share_of_those_that_agree_in_structure():
    scheduler = Scheduler(plan(), [])
    scheduler.waiting += [proposal(k, hidden=4 if k < 5 else 8) for k in range(6)]
    # Five of one structure for two workers: three, then the other two.
    assert [p.number for p in scheduler.take()] == [0, 1, 2]
    assert [p.number for p in scheduler.take()] == [3, 4]
    assert (scheduler.free, scheduler.left) == (0, 1)
    assert [p.number for p in scheduler.waiting] == [5]
    assert [p.number for p in scheduler.running] == [0, 1, 2, 3, 4]


def test_no_more_than_a_stack_are_taken_and_one_where_nothing_is_stacked():
    many, one = Scheduler(plan(trials=20), []), Scheduler(plan(stack=1), [])
    for scheduler in (many, one):
        scheduler.waiting += [proposal(k) for k in range(20)]
    assert len(many.take()) == 4
    assert [p.number for p in one.take()] == [0]


def test_a_group_that_ended_leaves_its_place():
    scheduler = Scheduler(plan(), [])
    scheduler.waiting += [proposal(k) for k in range(4)]
    scheduler.take()
    second = scheduler.take()
    assert scheduler.end(2) == second
    assert scheduler.free == 1
    assert [p.number for p in scheduler.running] == [0, 1]


def test_the_best_is_the_lowest_score_and_the_first_of_equals():
    scheduler = Scheduler(plan(), [])
    gains = [scheduler.add(trial(k, score)) for k, score in enumerate([0.5, None, 0.4, 0.4, 0.6])]
    assert gains == [True, False, True, False, False]
    assert scheduler.best.number == 2
    assert [t.number for t in scheduler.history] == [0, 1, 2, 3, 4]


def test_a_resumed_search_begins_with_what_it_had():
    before = [trial(3, 0.2), trial(1, 0.1), trial(0, None, reason="broken")]
    scheduler = Scheduler(plan(), before)
    assert (scheduler.best.number, scheduler.left) == (1, 3)
    scheduler.add(trial(2))
    assert len(before) == 3  # the list that was given is not changed


@pytest.mark.parametrize(
    ("strategy", "running", "wanted"),
    [
        ("random", 0, 300),  # not adaptive: as many as there may be, at most BATCH
        ("bayesian", 0, 8),  # as late as possible: for two free places in stacks of four
        ("bayesian", 1, 4),
        ({"name": "population", "size": 8}, 0, 64),  # 8 members in 8 segments
        ({"name": "population", "size": 8}, 1, 0),  # learns from whole generations
        ({"name": "population", "size": 8, "asynchronous": True}, 1, 4),
    ],
)
def test_how_many_a_strategy_is_asked_for(strategy, running, wanted):
    trials = 8 if isinstance(strategy, dict) else 300
    scheduler = Scheduler(plan(strategy, trials), [])
    scheduler.groups = {k: [proposal(k)] for k in range(running)}
    assert scheduler.wanted == min(wanted, BATCH)


def test_nobody_is_asked_for_more_than_are_left():
    scheduler = Scheduler(plan("bayesian", trials=6), [trial(k) for k in range(5)])
    assert scheduler.wanted == scheduler.left == 1
    assert Scheduler(plan("random", trials=1), [trial(0)]).left == 0


def test_a_parent_is_found_in_the_history():
    scheduler = Scheduler(plan({"name": "population", "size": 2}, trials=2), [trial(0), trial(1)])
    assert scheduler.parent(proposal(2, parent=1)).number == 1
    assert scheduler.parent(proposal(2)) is None


def test_states_that_are_needed_are_those_of_parents_and_of_the_best():
    population = plan({"name": "population", "size": 2, "interval": 4}, trials=2)
    ended = [Trial(proposal(k, member=k, until=4), score) for k, score in enumerate([0.1, 0.9])]
    scheduler = Scheduler(population, ended)
    scheduler.waiting += [proposal(2, parent=0, member=0, until=8)]
    scheduler.waiting += [proposal(3, parent=0, member=1, until=8)]
    assert scheduler.needed() == {0}
    random = Scheduler(plan(), [trial(0, 0.4), trial(1, 0.3)])
    assert random.needed() == {1}  # every trial starts anew; the best one is kept
