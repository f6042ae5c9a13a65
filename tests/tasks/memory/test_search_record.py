"""What recording a trial costs, and what MLflow gets to keep of it."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace

import pytest
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

from nettuner.models.study import Goal, Proposal, Study, Trial
from nettuner.tasks.memory import recall, search_record, store, trial_record
from nettuner.tasks.memory import tags as names

pytestmark = pytest.mark.slow

GOAL = Goal("loss", "minimize")
# Limits that MLflow's own server checks.
METRICS_PER_BATCH, PARAMS_PER_BATCH, ENTITIES_PER_BATCH = 1000, 100, 1000
LONGEST_TAG = 8000


@pytest.fixture(scope="module")
def mlflow(home):
    return store.client()


@pytest.fixture
def begin(mlflow, request):
    """Opens the run of a trial in a search of its own."""

    def opened(proposal, structural=frozenset()):
        name = request.node.name.partition("[")[0]
        study = Study.model_validate(
            {
                "name": name[:100],
                "learner": "file.py:f",
                "space": {"x": {"distribution": "uniform", "low": 0, "high": 1}},
                "metric": "loss",
            }
        )
        facts = search_record.Facts("random_search", {}, "d", "", "", structural, None)
        search = search_record.start_search(mlflow, study, GOAL, facts)
        return search.begin(proposal, (0, proposal.number), 0, None)

    return opened


@pytest.fixture
def calls(mlflow, monkeypatch):
    """Every call to MLflow's store from now on, each a request where the store is a server.

    What the store calls itself meanwhile is not counted.
    """
    store = mlflow._tracking_client.store
    made = []
    inside = []

    def counted(name, method):
        def call(*args, **keywords):
            if not inside:
                made.append((name, args, keywords))
            inside.append(name)
            try:
                return method(*args, **keywords)
            finally:
                inside.pop()

        return call

    for name in dir(store):
        if not name.startswith("_") and callable(getattr(type(store), name, None)):
            monkeypatch.setattr(store, name, counted(name, getattr(store, name)))
    return made


def rows(count, metrics=("loss",)):
    return [
        {"step": step, "time": 1.7e9 + step, "metrics": dict.fromkeys(metrics, 1 / step)}
        for step in range(1, count + 1)
    ]


def called(calls):
    return [name for name, _, _ in calls]


def read_back(mlflow, record):
    experiment = mlflow.get_experiment(record.search.experiment_id)
    (search,) = recall.searches(mlflow, experiment.name)
    (trial,) = search.trials
    return trial


def test_a_trial_of_twenty_epochs_costs_six_calls_however_slow_its_epochs(
    begin, mlflow, calls, monkeypatch
):
    monkeypatch.setattr(trial_record, "FLUSH_SECONDS", 0.0)  # as if every epoch took seconds
    search = begin(Proposal(0, {"x": 0.5})).search
    calls.clear()
    record = search.begin(Proposal(1, {"x": 0.5, "n": 3}), (0, 1), 0, "http://prefect")
    for row in rows(20, ["train_loss", "val_loss", "val_accuracy"]):
        record.report([row])
    record.finish(Trial(Proposal(1, {"x": 0.5, "n": 3}), 0.05, rounds=20), last=True)
    assert len(calls) <= 6, called(calls)
    history = mlflow.get_metric_history(record.run_id, "val_loss")
    assert [point.step for point in history] == list(range(1, 21))


def test_a_quick_trial_is_sent_at_once(begin, calls):
    record = begin(Proposal(0, {"x": 0.5}))
    calls.clear()
    for row in rows(20):
        record.report([row])
    record.finish(Trial(Proposal(0, {"x": 0.5}), 0.05, rounds=20), last=True)
    assert called(calls).count("log_batch") == 1


def test_batches_respect_the_limits_of_mlflow(begin, mlflow, calls):
    params = {f"a_rather_long_name_of_a_hyperparameter_{k}": k / 7 for k in range(150)}
    metrics = [f"a_rather_long_name_of_a_metric_{k}" for k in range(150)]
    record = begin(Proposal(0, params))
    calls.clear()
    record.report(rows(2000))
    trial = Trial(Proposal(0, params), 0.05, metrics=dict.fromkeys(metrics, 1 / 3), rounds=2000)
    record.finish(trial, last=True)
    for _, args, keywords in (call for call in calls if call[0] == "log_batch"):
        logged = dict(zip(("run_id", "metrics", "params", "tags"), args, strict=False)) | keywords
        parts = [logged["metrics"], logged["params"], logged["tags"]]
        assert len(parts[0]) <= METRICS_PER_BATCH
        assert len(parts[1]) + len(parts[2]) <= PARAMS_PER_BATCH
        assert sum(map(len, parts)) <= ENTITIES_PER_BATCH
        assert all(len(tag.value) <= LONGEST_TAG for tag in parts[2])
    run = mlflow.get_run(record.run_id)
    assert run.data.params == {name: str(value) for name, value in params.items()}
    assert len(mlflow.get_metric_history(record.run_id, "loss")) == 2000
    assert len(json.dumps(params)) > LONGEST_TAG - 200  # else this would be too easy
    assert read_back(mlflow, record) == trial


def test_a_reason_that_is_too_long_is_cut(begin, mlflow):
    record = begin(Proposal(0, {"x": 0.5}))
    trial = Trial(Proposal(0, {"x": 0.5}), None, "é" * 20_000)
    record.finish(trial, last=True)
    run = mlflow.get_run(record.run_id)
    assert run.data.tags["nettuner.reason"] == "é" * 500
    assert run.info.status == "FAILED"
    assert read_back(mlflow, record) == replace(trial, reason="é" * 500)


def test_what_is_not_finite_is_no_metric(begin, mlflow):
    record = begin(Proposal(0, {"x": 0.5}))
    record.report(rows(2, ["loss"]))
    for step, value in enumerate((math.inf, -math.inf, math.nan), 3):
        record.report([{"step": step, "time": 1.7e9, "metrics": {"loss": value, "other": 1.0}}])
    reason = "DivergedError: loss is nan after round 5"
    record.finish(Trial(Proposal(0, {"x": 0.5}), None, reason), last=True)
    history = mlflow.get_metric_history(record.run_id, "loss")
    assert [(point.step, point.value) for point in history] == [(1, 1.0), (2, 0.5)]
    assert [p.step for p in mlflow.get_metric_history(record.run_id, "other")] == [3, 4, 5]


def test_a_metric_whose_name_mlflow_does_not_allow_is_kept_under_a_similar_one(begin, mlflow):
    names = ["recall@5 (%)", "recall@5 [%]", "é/ok", "", "/", "a//b", "a/", "../x", ".", "x" * 300]
    names += ["nettuner/seconds", "hyperparameter/x", "loss\udce9"]
    record = begin(Proposal(0, {"x": 0.5}))
    reported = {name: float(place) for place, name in enumerate(names)}
    record.report([{"step": 1, "time": 1.7e9, "metrics": reported}])
    record.finish(Trial(Proposal(0, {"x": 0.5}), 1.0, seconds=77.0), last=True)
    metrics = mlflow.get_run(record.run_id).data.metrics
    assert metrics.pop("nettuner/seconds") == 77.0
    assert sorted(metrics.values()) == list(range(len(names)))  # no two became one
    assert metrics["é/ok"] == 2.0
    assert re.fullmatch("recall_5 ___-[0-9a-f]{4}", next(iter(n for n in metrics if "recall" in n)))


def test_a_members_run_stays_open_between_its_segments(begin, mlflow):
    first = Proposal(0, {"rate": 0.1, "width": 8, "kind": "a"}, None, 0, 1)
    record = begin(first, structural=frozenset({"width"}))
    record.finish(Trial(first, 0.5, rounds=1), last=False)
    assert mlflow.get_run(record.run_id).info.status == "RUNNING"
    second = Proposal(2, {"rate": 0.2, "width": 8, "kind": "b"}, 0, 0, 2)
    again = record.search.begin(second, (0, 0), 1, None)
    assert again.run_id == record.run_id
    again.finish(Trial(second, 0.4, rounds=1), last=True)
    run = mlflow.get_run(record.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"width": "8"}
    assert run.data.tags["hyperparameter.kind"] == "b"
    history = mlflow.get_metric_history(record.run_id, "hyperparameter/rate")
    assert [(point.step, point.value) for point in history] == [(0, 0.1), (1, 0.2)]


@pytest.fixture
def unsent(begin):
    """A member whose first segment is kept beside its run, which has nothing of it so far."""
    proposal = Proposal(0, {"rate": 0.1}, None, 0, 1)
    record = begin(proposal)
    record.report([{"step": 1, "time": 1.0, "metrics": {"loss": 0.5}}])
    record.finish(Trial(proposal, 0.5, rounds=1), last=False, later=True)
    record.search.keep_segment(0, [record])
    return record


def kept(mlflow, search):
    return [file.path for file in mlflow.list_artifacts(search.run_id, names.SEGMENTS)]


@pytest.mark.parametrize(
    ("status", "left"),
    [("FINISHED", []), ("KILLED", ["segments/0.json"]), ("FAILED", ["segments/0.json"])],
)
def test_what_is_kept_for_a_resume_is_deleted_when_a_search_has_finished(
    unsent, mlflow, status, left
):
    assert kept(mlflow, unsent.search) == ["segments/0.json"]
    assert mlflow.get_run(unsent.run_id).data.metrics == {}
    unsent.search.finish(status, "", {}, {})
    assert kept(mlflow, unsent.search) == left
    assert mlflow.get_run(unsent.run_id).data.metrics["loss"] == 0.5
    files = [file.path for file in mlflow.list_artifacts(unsent.search.run_id)]
    assert names.STUDY_FILE in files


def test_a_store_that_deletes_nothing_fails_no_search(unsent, mlflow, monkeypatch):
    def refuse(*_):
        raise PermissionError("read only")

    monkeypatch.setattr(LocalArtifactRepository, "delete_artifacts", refuse)
    unsent.search.finish("FINISHED", "", {}, {})
    assert mlflow.get_run(unsent.search.run_id).info.status == "FINISHED"
    assert kept(mlflow, unsent.search) == ["segments/0.json"]
