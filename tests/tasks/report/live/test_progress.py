"""What is shown of trials in flight and ended."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from nettuner.models.curve import Point
from nettuner.models.study import Proposal, Study, Trial
from nettuner.tasks.plan import make_plan
from nettuner.tasks.report.live.progress import Progress
from nettuner.tasks.report.live.state import Best, Line
from nettuner.tasks.report.live.tally import Tally
from nettuner.tasks.training.curves import Curves

GIVEN = {
    "name": "watched",
    "learner": "mlp",
    "data": "iris",
    "space": {"hidden": {"distribution": "integer", "low": 2, "high": 8}},
    "metric": "val_accuracy",
    "epochs": 4,
    "width": 2,
    "strategy": "random",
    "stop": {"trials": 10},
}


def watched(trained_for=0.0, elapsed=60.0, **changes):
    study = Study.model_validate({**GIVEN, **changes})
    plan = make_plan(study)
    context = SimpleNamespace(
        record=SimpleNamespace(name="random 1"),
        curves=Curves(study, plan.goal),
        elapsed=lambda: elapsed,
        trained_for=lambda: trained_for,
    )
    return Progress(plan, context), context.curves


def proposal(number, **keywords):
    return Proposal(number, {"hidden": 4}, **keywords)


def trial(number, accuracy=None, reason=None, **keywords):
    score = None if accuracy is None else -accuracy
    return Trial(proposal(number), score, reason, rounds=4, **keywords)


def train(curves, number, *accuracies, done=0):
    curves.begin(number, done)
    rows = [
        {"step": k, "seconds": 1.0, "metrics": {"val_accuracy": a}, "round": True}
        for k, a in enumerate(accuracies, start=done + 1)
    ]
    curves.add(number, rows)


def test_trials_in_flight_have_their_latest_metric_their_curve_and_their_epochs():
    progress, curves = watched()
    train(curves, 3, 0.5, 0.25, 0.75)
    progress.show([], None, [proposal(3), proposal(4)])
    state = progress.state()
    assert state.training.shown == (Line("3", 0.75, (0.5, 0.25, 0.75), 3, 4), Line("4", of=4))
    assert (state.ended, state.of, state.many, state.left) == (0, 10, "trials", "")


def test_trials_that_ended_are_shown_with_the_latest_first_and_the_best_by_its_metric():
    progress, _ = watched()
    curve = (Point(1, -0.5, 1.0), Point(2, -0.75, 1.0))
    trials = [
        trial(0, 0.75, curve=curve),
        trial(1, reason="ValueError: no"),
        trial(2, 0.5, stopped="worse than the median"),
    ]
    progress.show(trials[:1], trials[0], [])
    progress.show(trials, trials[0], [])
    state = progress.state()
    assert state.last == (
        Line("2", 0.5, (), 4, 0, "worse than the median", "stopped"),
        Line("1", None, (), 4, 0, "ValueError: no", "failed"),
        Line("0", 0.75, (0.5, 0.75), 2),
    )
    assert state.best == Best("trial 0", 0.75, {"hidden": 4})
    assert (state.ended, state.failed) == (3, 1)


def test_of_many_in_flight_the_best_three_are_shown():
    progress, curves = watched()
    asked = [proposal(number) for number in range(64)]
    for number in range(63):  # the last one has not reported
        train(curves, number, *[number / 100] * (1 + number % 2))
    progress.show([], None, asked)
    training = progress.state().training
    assert [line.name for line in training.shown] == ["62", "61", "60"]
    assert (training.count, training.least, training.most, training.of) == (64, 0, 2, 4)


def test_the_time_left_is_that_of_rounds_which_are_left():
    # 5 of 10 trials of 4 epochs, and 2 of a sixth, in 44 s: 22 rounds. Left are 18.
    progress, curves = watched(trained_for=44.0)
    train(curves, 5, 0.5, 0.5)
    progress.show([], None, [])
    progress.show([trial(k, 0.5) for k in range(5)], None, [proposal(5)])
    assert progress.state().left == "about 30 s left"  # 36 s


def test_trials_from_before_a_resume_say_nothing_of_the_time_left():
    progress, _ = watched(trained_for=44.0)
    progress.show([trial(k, 0.5) for k in range(5)], None, [proposal(5)])
    assert progress.state().left == ""


def test_a_search_with_a_limit_of_time_alone_says_how_long_it_starts_trials():
    progress, _ = watched(elapsed=60.0, stop={"seconds": 180})
    progress.show([trial(k, 0.5) for k in range(5)], None, [proposal(5)])
    state = progress.state()
    assert (state.of, state.left) == (None, "new trials for 2 min at most")


def test_finals_come_after_the_search():
    progress, _ = watched(trained_for=50.0, finals=2)
    progress.show([], None, [])
    progress.show([trial(k, 0.5) for k in range(5)], None, [])
    assert progress.state().left == "about 45 s left, then the finals"


def test_a_segment_of_a_population_is_named_by_its_member_and_has_its_whole_curve():
    population = {"name": "population", "size": 4}
    space = {"learning_rate": {"distribution": "log-uniform", "low": 0.01, "high": 0.1}}
    progress, curves = watched(strategy=population, space=space, stop={})
    train(curves, 6, 0.5, done=1)
    first = Trial(proposal(2, member=2, until=1), -0.25, rounds=1, curve=(Point(1, -0.25, 1.0),))
    progress.show([first], first, [proposal(6, parent=2, member=2, until=2)])
    state = progress.state()
    assert (state.one, state.many, state.of) == ("member", "segments", 16)
    assert state.training.shown == (Line("2", 0.5, (0.25, 0.5), 2, 2),)


@pytest.mark.parametrize(
    ("strategy", "left"), [("successive_halving", "about 1.5 min left"), ("freeze_thaw", "")]
)
def test_a_strategy_that_goes_on_with_the_best_tells_its_time_by_rounds(strategy, left):
    # Ten networks of 4 epochs; five trained 1 each in 30 s. All ten train 1, and three of them 3
    # more: 19 in all, so 14 are left, for 84 s.
    progress, _ = watched(trained_for=30.0, strategy={"name": strategy})
    rungs = progress._plan.strategy.rungs
    progress.show([], None, [])
    segments = [
        Trial(proposal(k, member=k, until=rungs[0]), -0.5, rounds=rungs[0]) for k in range(5)
    ]
    progress.show(segments, None, [])
    assert progress.state().one == "network"
    assert progress.state().left == left


def test_reasons_that_differ_by_numbers_alone_are_one_reason():
    tally = Tally(make_plan(Study.model_validate(GIVEN)).goal)
    tally.add([trial(0, reason="trial 0: nan in epoch 3"), trial(1, reason="no memory")])
    tally.add([trial(2, reason="trial 2: nan in epoch 11"), trial(3, 0.5)])
    assert tally.commonest == ("trial 2: nan in epoch 11", 2)
    assert tally.failed == 3


def quickest(progress, times=20):
    found = []
    for _ in range(times):
        began = time.perf_counter()
        progress.state()
        found.append(time.perf_counter() - began)
    return min(found)


@pytest.mark.parametrize("many", [20_000])
def test_what_is_shown_costs_the_same_after_many_trials(many):
    few, _ = watched()
    few.show([trial(k, reason=f"no {k}") for k in range(20)], None, [proposal(20)])
    lots, _ = watched()
    lots.show([trial(k, reason=f"no {k}") for k in range(many)], None, [proposal(many)])
    # A thousand times as many; the quickest of twenty, so that what else runs does not count.
    assert quickest(lots) < 5 * quickest(few)
    assert len(lots.state().last) == len(few.state().last) == 6
