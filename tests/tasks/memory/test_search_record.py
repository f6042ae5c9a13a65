"""What recording a trial costs, and what MLflow gets to keep of it."""

from __future__ import annotations

import json
import math
import re
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mlflow.data.schema import TensorDatasetSchema
from mlflow.types import Schema

from nettuner.models.data.load import load
from nettuner.models.data.profiling import profile
from nettuner.models.study import Goal, Proposal, Study, Trial
from nettuner.tasks.memory import recall, search_record, store

pytestmark = pytest.mark.slow

GOAL = Goal("loss", "minimize")
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


def rows(count, metrics=("loss",)):
    return [
        {"step": step, "time": 1.7e9 + step, "metrics": dict.fromkeys(metrics, 1 / step)}
        for step in range(1, count + 1)
    ]


def read_back(mlflow, record):
    record.search.recorder.drain()
    experiment = mlflow.get_experiment(record.search.experiment_id)
    (search,) = recall.searches(mlflow, experiment.name)
    (trial,) = search.trials
    return trial


def read(mlflow, record):
    record.search.recorder.drain()
    return mlflow.get_run(record.run_id)


def test_the_data_are_recorded_with_their_schema_and_profile_as_mlflow_reads_them(mlflow, home):
    study = Study.model_validate(
        {"name": "described", "learner": "mlp", "data": "iris", "space": {}, "metric": "val_loss"}
    )
    understood = profile(study.data, load(study.data))
    facts = search_record.Facts(
        "random_search", {}, "d", "0123", "iris", frozenset(), None, profile=understood
    )
    search = search_record.start_search(mlflow, study, GOAL, facts)
    search.recorder.drain()
    (given,) = mlflow.get_run(search.run_id).inputs.dataset_inputs
    assert (given.dataset.name, given.dataset.digest) == ("iris", "0123")
    columns = Schema.from_json(json.dumps(json.loads(given.dataset.schema)["mlflow_colspec"]))
    assert columns.input_names() == [
        *("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"),
        "target",
    ]
    found = json.loads(given.dataset.profile)
    assert found["num_rows"] == 150
    assert found["target"]["classes"] == {"setosa": 50, "versicolor": 50, "virginica": 50}
    assert found["warnings"] == list(understood.warnings)


def test_images_have_the_schema_of_a_tensor(mlflow, home):
    study = Study.model_validate(
        {"name": "pixels", "learner": "cnn", "data": "digits", "space": {}, "metric": "val_loss"}
    )
    written = json.loads(profile(study.data, load(study.data)).schema())
    found = TensorDatasetSchema.from_dict(written)
    assert found.features.inputs[0].shape == (-1, 1, 8, 8)


def test_a_trial_is_recorded_while_the_store_is_locked(begin, mlflow, home):
    search = begin(Proposal(0, {"x": 0.5})).search
    search.recorder.drain()
    with closing(sqlite3.connect(home / "mlflow.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        record = search.begin(Proposal(1, {"x": 0.5, "n": 3}), (0, 1), 0, "http://prefect")
        for row in rows(20, ["train_loss", "val_loss"]):
            record.report([row])
        trial = Trial(Proposal(1, {"x": 0.5, "n": 3}), 0.05, rounds=20)
        record.finish(trial, last=True)
        assert time.monotonic() - began < 1
        assert record.run_id in record.url
        other.execute("ROLLBACK")
    assert read(mlflow, record).info.status == "FINISHED"
    history = mlflow.get_metric_history(record.run_id, "val_loss")
    assert [point.step for point in history] == list(range(1, 21))
    assert read_back(mlflow, record) == trial


def test_very_many_hyperparameters_metrics_and_rounds_are_all_kept(begin, mlflow):
    params = {f"a_rather_long_name_of_a_hyperparameter_{k}": k / 7 for k in range(150)}
    metrics = [f"a_rather_long_name_of_a_metric_{k}" for k in range(150)]
    record = begin(Proposal(0, params))
    record.report(rows(2000))
    trial = Trial(Proposal(0, params), 0.05, metrics=dict.fromkeys(metrics, 1 / 3), rounds=2000)
    record.finish(trial, last=True)
    run = read(mlflow, record)
    assert run.data.params == {name: str(value) for name, value in params.items()}
    assert len(mlflow.get_metric_history(record.run_id, "loss")) == 2000
    assert len(json.dumps(params)) > LONGEST_TAG - 200  # else this would be too easy
    assert all(len(value) <= LONGEST_TAG for value in run.data.tags.values())
    assert read_back(mlflow, record) == trial


def test_a_reason_that_is_too_long_is_cut(begin, mlflow):
    record = begin(Proposal(0, {"x": 0.5}))
    trial = Trial(Proposal(0, {"x": 0.5}), None, "é" * 20_000)
    record.finish(trial, last=True)
    run = read(mlflow, record)
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
    read(mlflow, record)
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
    metrics = read(mlflow, record).data.metrics
    assert metrics.pop("nettuner/seconds") == 77.0
    assert sorted(metrics.values()) == list(range(len(names)))  # no two became one
    assert metrics["é/ok"] == 2.0
    assert re.fullmatch("recall_5 ___-[0-9a-f]{4}", next(iter(n for n in metrics if "recall" in n)))


def test_a_run_says_what_its_trial_took_of_an_accelerator(begin, mlflow):
    on_gpu = begin(Proposal(0, {"x": 0.5}))
    trial = Trial(
        Proposal(0, {"x": 0.5}), 1.0, device="cuda:1 A", peak_mib=1536.0, utilisation=87.5
    )
    on_gpu.finish(trial, last=True)
    metrics = read(mlflow, on_gpu).data.metrics
    assert metrics["nettuner/peak_memory_mib"] == 1536
    assert metrics["nettuner/gpu_utilisation"] == 87.5
    assert read_back(mlflow, on_gpu) == trial


def test_a_members_run_stays_open_between_its_segments(begin, mlflow):
    first = Proposal(0, {"rate": 0.1, "width": 8, "kind": "a"}, None, 0, 1)
    record = begin(first, structural=frozenset({"width"}))
    record.finish(Trial(first, 0.5, rounds=1), last=False)
    assert read(mlflow, record).info.status == "RUNNING"
    second = Proposal(2, {"rate": 0.2, "width": 8, "kind": "b"}, 0, 0, 2)
    again = record.search.begin(second, (0, 0), 1, None)
    assert again.run_id == record.run_id
    again.finish(Trial(second, 0.4, rounds=1), last=True)
    run = read(mlflow, record)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"width": "8"}
    assert run.data.tags["hyperparameter.kind"] == "b"
    history = mlflow.get_metric_history(record.run_id, "hyperparameter/rate")
    assert [(point.step, point.value) for point in history] == [(0, 0.1), (1, 0.2)]


def test_a_search_that_has_ended_has_nothing_unsent(begin, mlflow, home):
    proposal = Proposal(0, {"rate": 0.1}, None, 0, 1)
    record = begin(proposal)
    record.report([{"step": 1, "time": 1.0, "metrics": {"loss": 0.5}}])
    record.finish(Trial(proposal, 0.5, rounds=1), last=False)
    record.search.finish("FINISHED", "", {"test_loss": 0.75}, {})
    assert mlflow.get_run(record.run_id).info.status == "FINISHED"  # as its search has
    assert mlflow.get_run(record.run_id).data.metrics["loss"] == 0.5
    assert mlflow.get_run(record.search.run_id).data.metrics == {"test_loss": 0.75}
    assert not list((home / "journal").glob(f"{record.search.run_id}*"))


def test_what_a_trial_printed_and_drew_is_among_its_artifacts(begin, mlflow, tmp_path):
    record = begin(Proposal(0, {"x": 0.5}))
    (tmp_path / "trial-0.txt").write_text("é" * 600_000)  # two bytes each
    record.keep_output(tmp_path / "trial-0.txt")
    np.save(tmp_path / "drawn.npy", np.zeros((4, 4, 3), np.uint8))
    record.show([("a sample: é", 3, tmp_path / "drawn.npy")])
    assert not list(tmp_path.iterdir())
    read(mlflow, record)
    path = mlflow.download_artifacts(record.run_id, "output/trial-0.txt", str(tmp_path))
    said = Path(path).read_text()
    assert said.startswith("[200000 bytes before this were left out]\néé")
    assert said.count("é") == 500_000
    drawn = {file.path.partition("+timestamp")[0] for file in images(mlflow, record.run_id)}
    assert drawn == {"images/a sample_ _+step+3"}


def images(mlflow, run_id):
    return mlflow.list_artifacts(run_id, "images")
