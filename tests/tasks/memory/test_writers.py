"""Rows written into MLflow's tables are those that its client's calls write."""

from __future__ import annotations

from uuid import uuid4

import pytest
from mlflow import MlflowClient
from sqlalchemy import text
from sqlalchemy.event import listen, remove

from nettuner.tasks.memory.call_writer import CallWriter
from nettuner.tasks.memory.events import ended, kept_text, logged, opened
from nettuner.tasks.memory.mlflow_private import is_refusal
from nettuner.tasks.memory.table_writer import TableWriter
from nettuner.tasks.memory.writer import writer_to

pytestmark = pytest.mark.slow

# Limits that MLflow's own server checks.
METRICS_PER_BATCH, PARAMS_PER_BATCH = 1000, 100


@pytest.fixture(scope="module")
def experiment(mlflow):
    return mlflow.get_experiment_by_name("x").experiment_id


def begun(writer, experiment, name, tags):
    """Id of a run: made by a call, or only chosen where the tables are written to."""
    if isinstance(writer, TableWriter):
        return uuid4().hex
    return writer._mlflow.create_run(experiment, tags=tags, run_name=name).info.run_id


def story(writer, experiment):
    """Two runs: one that ends, and one that goes on, with steps that come out of order."""
    first, second = (begun(writer, experiment, f"trial {k}", {"a": "b"}) for k in (1, 2))
    return [
        opened(first, experiment, "trial 1", {"a": "b"}),
        opened(second, experiment, "trial 2", {"a": "b"}),
        logged(first, [("loss", 0.5, 1000, 1), ("loss", 0.25, 2000, 2)], {"x": "1"}, {"c": "d"}),
        logged(second, [("loss", 3.0, 5000, 7), ("é/ok", 1.0, 1000, 0)], {"x": "2", "y": "é"}),
        logged(first, [("loss", 0.125, 1500, 2), ("loss", 9.0, 9000, 1)], {}, {"c": "e", "f": ""}),
        logged(second, [("loss", 3.0, 5000, 6), ("loss", 2.0, 5000, 7)], {}, {"n": "z" * 9000}),
        kept_text(first, "output/said.txt", "hello"),
        ended(first, "FAILED"),
    ]


def rows(mlflow, run_ids):
    """Everything the database has of some runs, without ids and the time of writing."""
    found = {}
    with mlflow._tracking_client.store.engine.connect() as connection:
        tables = {"runs", "tags", "params", "metrics", "latest_metrics"}
        for table in tables:
            some = [
                {
                    **row,
                    "run_uuid": run_ids.index(row["run_uuid"]),
                    "artifact_uri": row.get("artifact_uri", "").replace(row["run_uuid"], "ID"),
                    "start_time": 0,
                    "end_time": row.get("end_time") is not None,
                }
                for row in connection.execute(text(f"select * from {table}")).mappings()
                if row["run_uuid"] in run_ids
            ]
            found[table] = sorted(some, key=repr)
    return found


def runs_of(events):
    return list(dict.fromkeys(event["run"] for event in events))


def test_both_writers_write_the_same_rows(mlflow, experiment):
    written = []
    for writer in (CallWriter(mlflow), TableWriter(mlflow)):
        events = story(writer, experiment)
        writer.write(events)
        written.append(runs_of(events))
    by_calls, into_tables = (rows(mlflow, run_ids) for run_ids in written)
    assert len(by_calls["metrics"]) == 8
    assert [len(by_calls[table]) for table in ("runs", "latest_metrics")] == [2, 3]
    assert into_tables == by_calls
    for first, _ in written:
        (file,) = mlflow.list_artifacts(first, "output")
        assert (file.path, file.file_size) == ("output/said.txt", 5)


@pytest.mark.parametrize("kind", [CallWriter, TableWriter])
def test_what_is_sent_once_more_changes_nothing(mlflow, experiment, kind):
    writer = kind(mlflow)
    events = story(writer, experiment)
    writer.write(events)
    run_ids = runs_of(events)
    once = rows(mlflow, run_ids)
    ends = mlflow.get_run(run_ids[0]).info.end_time
    writer.write(events)
    writer.write(events[4:])
    assert rows(mlflow, run_ids) == once
    assert mlflow.get_run(run_ids[0]).info.end_time == ends == events[-1]["at"]


def test_the_latest_point_is_that_of_the_last_step_however_it_was_batched(mlflow, experiment):
    writer = TableWriter(mlflow)
    events = story(writer, experiment)
    for event in events:
        writer.write([event])
    first, second = (mlflow.get_run(run_id).data.metrics for run_id in runs_of(events))
    assert (first["loss"], second["loss"]) == (0.25, 3.0)


def test_many_trials_are_one_transaction(mlflow, experiment):
    writer = TableWriter(mlflow)
    events = [
        event for _ in range(100) for event in story(writer, experiment) if "text" not in event
    ]
    writer.write(story(writer, experiment))  # it asks once where artifacts go
    commits = []

    def count(connection):
        commits.append(connection)

    engine = mlflow._tracking_client.store.engine
    listen(engine, "commit", count)
    writer.write(events)
    remove(engine, "commit", count)
    assert len(runs_of(events)) == 200
    assert len(commits) == 1


def test_a_run_that_was_deleted_for_good_keeps_no_other_from_being_written(mlflow, experiment):
    writer = TableWriter(mlflow)
    events = story(writer, experiment)
    writer.write(events[:2])
    gone, there = runs_of(events)
    mlflow.delete_run(gone)
    mlflow._tracking_client.store._hard_delete_run(gone)
    writer.write(events[2:])
    assert mlflow.get_run(there).data.params == {"x": "2", "y": "é"}
    assert gone not in {run.info.run_id for run in mlflow.search_runs([experiment])}


def test_a_run_that_was_deleted_is_refused_by_calls(mlflow, experiment):
    writer = CallWriter(mlflow)
    events = story(writer, experiment)
    mlflow.delete_run(events[0]["run"])
    with pytest.raises(Exception, match="active") as refused:
        writer.write(events)
    assert is_refusal(refused.value)


def test_calls_respect_the_limits_of_mlflow(mlflow, experiment, monkeypatch):
    writer = CallWriter(mlflow)
    run_id = begun(writer, experiment, "long", {})
    calls = []
    store = mlflow._tracking_client.store
    log = store.log_batch

    def watched(metrics, params, tags, **named):
        calls.append((len(metrics), len(params) + len(tags)))
        log(metrics=metrics, params=params, tags=tags, **named)

    monkeypatch.setattr(store, "log_batch", watched)
    params = {f"x{k}": str(k) for k in range(150)}
    tags = {f"t{k}": "z" * 8000 for k in range(60)}
    points = [("loss", 1 / (k + 1), 1000 + k, k) for k in range(2000)]
    writer.write([logged(run_id, points[:1000], params), logged(run_id, points[1000:], {}, tags)])
    assert len(calls) == 3
    assert all(m <= METRICS_PER_BATCH and p <= PARAMS_PER_BATCH for m, p in calls)
    assert mlflow.get_run(run_id).data.params == params
    assert len(mlflow.get_metric_history(run_id, "loss")) == 2000


@pytest.mark.parametrize(
    ("address", "kind"), [("sqlite:///{}/x.db", TableWriter), ("http://localhost:1", CallWriter)]
)
def test_the_writer_is_that_of_the_store(tmp_path, address, kind):
    assert isinstance(writer_to(MlflowClient(address.format(tmp_path))), kind)
