"""Searches as MLflow remembers them."""

from __future__ import annotations

import re

import pytest

from nettuner.models.study import Goal, Proposal, Study, Trial
from nettuner.tasks.memory import recall, resuming, search_record, store

pytestmark = pytest.mark.slow

GOAL = Goal("loss", "minimize")
FACTS = search_record.Facts("random_search", {}, "digest", "", "", frozenset(), None)


@pytest.fixture(scope="module")
def mlflow(home):
    return store.client()


@pytest.fixture
def study(request):
    return Study.model_validate(
        {
            "name": re.sub(r"\W", "-", request.node.name),
            "learner": "file.py:f",
            "space": {"x": {"distribution": "uniform", "low": 0, "high": 1}},
            "metric": "loss",
        }
    )


def started(mlflow, study, numbers, half_done=()):
    """A search with finished trials, and some that never ended."""
    search = search_record.start_search(mlflow, study, GOAL, FACTS)
    for number in (*numbers, *half_done):
        proposal = Proposal(number, {"x": number / 8})
        record = search.begin(proposal, (0, number), 0, None)
        if number in numbers:
            record.finish(Trial(proposal, float(number), ended=9.0 - number), last=True)
    search.recorder.drain()
    return search


def test_a_study_that_was_never_searched_says_where_it_was_looked_for(mlflow, home):
    with pytest.raises(ValueError, match="no study named 'unheard-of'") as error:
        recall.searches(mlflow, "unheard-of")
    assert str(home) in str(error.value)


def test_trials_come_in_the_order_in_which_they_ended(mlflow, study):
    started(mlflow, study, [0, 1, 2])
    (past,) = recall.searches(mlflow, study.name)
    assert [trial.number for trial in past.trials] == [2, 1, 0]


def test_searches_come_in_the_order_in_which_they_began(mlflow, study):
    begun = [started(mlflow, study, [number]).run_id for number in range(3)]
    assert [past.run_id for past in recall.searches(mlflow, study.name)] == begun


def test_to_know_the_latest_search_no_trial_of_any_is_read(mlflow, study, monkeypatch):
    begun = [started(mlflow, study, range(3)).run_id for _ in range(4)]
    read = []
    children = recall._children
    monkeypatch.setattr(
        recall, "_children", lambda m, run: read.append(run.info.run_id) or children(m, run)
    )
    latest = recall.latest(mlflow, study.name)
    assert (latest.run_id, latest.strategy, read) == (begun[-1], "random_search", [])
    assert len(latest.trials) == len(latest.trials) == 3
    assert read == begun[-1:]  # once, and those of no other search


def test_trials_of_one_search_are_not_taken_for_those_of_another(mlflow, study):
    started(mlflow, study, [0, 1])
    started(mlflow, study, [2])
    numbers = [
        sorted(trial.number for trial in past.trials)
        for past in recall.searches(mlflow, study.name)
    ]
    assert numbers == [[0, 1], [2]]


def test_more_trials_than_fit_on_a_page_are_all_read(mlflow, study, monkeypatch):
    monkeypatch.setattr(recall, "PAGE", 2)
    started(mlflow, study, range(5))
    (past,) = recall.searches(mlflow, study.name)
    assert sorted(trial.number for trial in past.trials) == [0, 1, 2, 3, 4]


def test_a_resumed_search_has_what_was_finished_and_closes_what_was_not(mlflow, study):
    search = started(mlflow, study, [0, 1], half_done=[2])
    open_one = resuming.to_resume(mlflow, study.name, FACTS)
    record, spent = resuming.resume(mlflow, open_one, GOAL, FACTS)
    assert record.run_id == search.run_id
    assert sorted(trial.number for trial in open_one.trials) == [0, 1]
    assert spent == 9.0
    (past,) = recall.searches(mlflow, study.name)
    assert past.status == "RUNNING"
    assert not past.unfinished
    condition = "attributes.status = 'KILLED'"
    (closed,) = mlflow.search_runs([search.experiment_id], condition)
    assert closed.info.run_name == "trial 2"
    assert closed.data.tags["nettuner.reason"] == "interrupted; the trial was asked for again"


@pytest.mark.parametrize("status", ["KILLED", "FAILED"])
def test_a_search_that_goes_on_has_no_reason_to_have_ended(mlflow, study, status):
    search = started(mlflow, study, [0])
    search.finish(status, "note", {}, {}, reason="interrupted")
    resuming.resume(mlflow, resuming.to_resume(mlflow, study.name, FACTS), GOAL, FACTS)
    run = mlflow.get_run(search.run_id)
    assert run.info.status == "RUNNING"
    assert "nettuner.reason" not in run.data.tags


def test_a_search_that_has_finished_is_not_resumed(mlflow, study):
    started(mlflow, study, [0]).finish("FINISHED", "note", {}, {})
    with pytest.raises(ValueError, match="interrupted or failed; start one without --resume"):
        resuming.to_resume(mlflow, study.name, FACTS)


def test_a_search_that_finishes_before_it_is_held_is_not_resumed(mlflow, study):
    search = started(mlflow, study, [0])
    past = resuming.to_resume(mlflow, study.name, FACTS)
    search.finish("FINISHED", "note", {}, {})
    with pytest.raises(ValueError, match="must be unfinished to go on"):
        resuming.resume(mlflow, past, GOAL, FACTS)


def test_the_latest_of_several_interrupted_searches_is_resumed(mlflow, study):
    started(mlflow, study, [0])
    second = started(mlflow, study, [1])
    assert resuming.to_resume(mlflow, study.name, FACTS).run_id == second.run_id


def test_the_trial_that_a_search_answered_with_is_remembered(mlflow, study):
    search = started(mlflow, study, [0, 1, 2])
    (begun,) = recall.searches(mlflow, study.name)
    assert begun.winner.number == 0  # the best so far
    search.finish("FINISHED", "note", {}, {"x": 0.25}, winner=2)
    (ended,) = recall.searches(mlflow, study.name)
    assert ended.winner.number == 2
