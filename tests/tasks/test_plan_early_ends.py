"""What is wrong with searches that end trials early is said before anything is trained."""

from __future__ import annotations

import pytest

from nettuner.models.study import Study
from nettuner.models.study_file import StudyError
from nettuner.tasks.plan import make_plan

HALVING = "successive_halving"
STUDY = {
    "name": "early",
    "learner": "mlp",
    "data": "iris",
    "space": {"learning_rate": {"distribution": "log-uniform", "low": 0.001, "high": 0.1}},
    "metric": "val_loss",
    "epochs": 27,
    "stop": {"trials": 27},
}
FAULTS = [
    (
        {"strategy": {"name": HALVING, "eta": 1}},
        "strategy.eta: eta must be at least 2, got 1; 3 lets the best third go on",
    ),
    (
        {"strategy": {"name": HALVING, "shortest": 30}},
        "strategy: shortest must be less than the whole training, got 30 of 27 rounds; lower it "
        "or train longer",
    ),
    (
        {"strategy": {"name": HALVING, "brackets": 5}},
        "strategy: brackets must be at most the number of rungs, 4 (after 1, 3, 9, 27 rounds), "
        "got 5; lower it",
    ),
    (
        {"strategy": HALVING, "repeats": 2},
        "repeats: what is continued must be one network, got repeats=2; drop it and give finals, "
        "or choose bayesian, grid or random",
    ),
    (
        {"strategy": HALVING, "stop": {}},
        "stop: a successive_halving search needs an end, got none; give trials, seconds, target "
        "or patience",
    ),
    (
        {"strategy": {"name": "random", "early_stop": "mean"}},
        "strategy.early_stop.rule: must be one of median, patience, got 'mean'; did you mean "
        "'median'?",
    ),
    (
        {"strategy": {"name": "grid", "early_stop": "median"}, "folds": 3},
        "strategy: trials that end early must be one training each, got folds=3; drop it and give "
        "finals, or let none end early",
    ),
]


def plan(**changes):
    return make_plan(Study.model_validate({**STUDY, **changes}))


@pytest.mark.parametrize(("changes", "message"), FAULTS)
def test_a_fault_is_one_line_with_a_way_out(changes, message):
    with pytest.raises(StudyError) as told:
        plan(**changes)
    assert str(told.value) == f"study: {message}"


def test_where_budgets_count_networks_they_are_an_end():
    found = plan(strategy=HALVING)
    assert found.trials is None
    # 27 for one epoch, 9 for two more, 3 for six more, 1 for eighteen more.
    assert found.strategy.fewest_rounds(27, 27) == 27 + 9 * 2 + 3 * 6 + 18
    # Of five, one goes on from the first rung, and alone to the end: one is trained in full.
    assert found.strategy.fewest_rounds(5, 27) == 5 + 26


@pytest.mark.parametrize(
    ("early_stop", "fewest"),
    [(None, 270), ("median", 10), ({"rule": "median", "after": 9}, 90), ("patience", 60)],
)
def test_whole_trials_train_at_least_until_their_rule_may_end_them(early_stop, fewest):
    found = plan(strategy={"name": "random", "early_stop": early_stop})
    assert found.strategy.fewest_rounds(10, 27) == fewest


def test_halving_is_stacked_as_it_asks_for_as_many_as_a_worker_trains():
    assert plan(strategy=HALVING).stack == 64
    assert plan(strategy="bayesian").stack == 1
