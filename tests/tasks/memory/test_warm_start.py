"""A search that learns from the earlier searches of its study, in a real MLflow store."""

from __future__ import annotations

import pytest

from nettuner.tasks.memory import search_record
from nettuner.tasks.memory.warm_start import FILE, MOST, some, warmed
from nettuner.tasks.strategies.bayesian import Bayesian

pytestmark = pytest.mark.slow
WARM = {"name": "bayesian", "warm_start": True}


@pytest.fixture(scope="module")
def searches(lab):
    """A random search of ten trials, then a Bayesian one that learns from it, then another."""
    space = {"x": {"distribution": "uniform", "low": 0, "high": 1}}
    first = lab.function_study("warm", space=space, strategy="random", stop={"trials": 10})
    lab.quick_search(first)
    wider = {
        "x": {"distribution": "uniform", "low": -1, "high": 1},
        "kind": {"distribution": "choice", "values": ["plain", "odd"]},
    }
    second = lab.function_study("warm", space=wider, strategy=WARM, stop={"trials": 3})
    lab.quick_search(second)
    return second, lab.quick_search(second), lab.past("warm")


def test_the_earlier_trials_are_kept_with_the_search(searches, lab):
    _study, _result, past = searches
    record = _record(lab, past[-1])
    kept = record.kept(FILE)
    assert [len(trials) for trials in kept.values()] == [10, 3]
    assert list(kept) == [search.run_id for search in past[:2]]
    scores = [trial["score"] for trial in next(iter(kept.values()))]
    assert sorted(scores) == sorted(trial.score for trial in past[0].trials)


def test_a_resume_has_the_earlier_trials_that_the_start_had(searches, lab):
    study, _result, past = searches
    strategy = Bayesian(seed=study.seed, warm_start=True)
    # The third search is there by now; the second one was started without it.
    again = warmed(strategy, lab.mlflow, "warm", _record(lab, past[1]))
    assert [len(trials) for trials in again.earlier] == [10]


def test_without_being_asked_it_learns_from_nothing(searches, lab):
    study, _result, past = searches
    strategy = Bayesian(seed=study.seed)
    assert warmed(strategy, lab.mlflow, "warm", _record(lab, past[1])) is strategy


def test_a_warm_search_starts_near_the_optimum(searches):
    _study, _result, past = searches
    first = min(past[1].trials, key=lambda trial: trial.number).proposal.params["x"]
    # The lowest loss is at 0.3; of the range from -1 to 1, a fifth lies within 0.2 of it.
    assert abs(first - 0.3) < 0.2


def test_of_a_long_search_the_best_and_a_spread_are_taken(searches):
    trials = searches[2][0].trials
    assert some(trials, MOST) == trials
    assert len(some(trials, 4)) == 4
    assert min(t.score for t in some(trials, 4)) == min(t.score for t in trials)


def _record(lab, past):
    run = lab.mlflow.get_run(past.run_id)
    facts = search_record.Facts("bayesian", {}, past.digest, "", "", frozenset(), None)
    return search_record.SearchRecord(lab.mlflow, search_record.Opened.again(run), past.goal, facts)
