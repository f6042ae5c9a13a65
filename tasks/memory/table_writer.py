"""Writes events into the tables of MLflow's database: many runs in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nettuner.tasks.memory.events import END, LOG, OPEN, Event
from nettuner.tasks.memory.mlflow_private import Tables
from nettuner.tasks.memory.trial_tags import LONGEST_TAG
from nettuner.tasks.memory.writer import write_artifacts

if TYPE_CHECKING:
    from mlflow import MlflowClient

RUN_NAME = "mlflow.runName"
Row = dict[str, Any]


class TableWriter:
    """Writes to SQLite and PostgreSQL.

    What is written is what the client's calls would have written, for a hundredth of their time. A
    run that somebody has deleted for good meanwhile takes nothing more.
    """

    def __init__(self, mlflow: MlflowClient) -> None:
        self._mlflow = mlflow
        self._tables = Tables(mlflow)
        self._locations: dict[str, str] = {}

    def write(self, events: Sequence[Event]) -> None:
        """Write events in one transaction, and then the artifacts among them."""
        rows = [self._run(event) for event in events if event["do"] == OPEN]
        with self._tables.transaction() as transaction:
            transaction.add_runs(rows)
            there = transaction.known({event["run"] for event in events})
            told = [event for event in events if event["run"] in there]
            logs = [event for event in told if event["do"] == LOG]
            transaction.set_tags(_tags(told))
            transaction.add_params(_params(logs))
            transaction.add_metrics(_metrics(logs))
            transaction.set_latest(_latest(logs))
            transaction.end_runs([_end(event) for event in told if event["do"] == END])
        write_artifacts(self._mlflow, told)

    def _run(self, event: Event) -> Row:
        experiment = event["experiment"]
        if experiment not in self._locations:
            found = self._mlflow.get_experiment(experiment)
            self._locations[experiment] = found.artifact_location
        return self._tables.run(
            event["run"], experiment, self._locations[experiment], event["name"], event["at"]
        )


def _tags(events: Sequence[Event]) -> list[Row]:
    last: dict[tuple[str, str], str] = {}
    for event in events:
        if event["do"] == OPEN:
            last[event["run"], RUN_NAME] = event["name"]
        for name, value in event.get("tags", {}).items():
            last[event["run"], name] = value[:LONGEST_TAG]
    return [{"run_uuid": run, "key": name, "value": value} for (run, name), value in last.items()]


def _params(logs: Sequence[Event]) -> list[Row]:
    return [
        {"run_uuid": event["run"], "key": name, "value": value}
        for event in logs
        for name, value in event["params"].items()
    ]


def _metrics(logs: Sequence[Event]) -> list[Row]:
    return [_metric(event["run"], *point) for event in logs for point in event["metrics"]]


def _latest(logs: Sequence[Event]) -> list[Row]:
    """Of every metric the row of its last step, and of several of that the last one in time."""
    last: dict[tuple[str, str], tuple[int, int, float]] = {}
    for event in logs:
        for name, value, at, step in event["metrics"]:
            key, order = (event["run"], name), (step, at, value)
            last[key] = max(last.get(key, order), order)
    return [_metric(run, name, value, at, step) for (run, name), (step, at, value) in last.items()]


def _metric(run: str, name: str, value: float, at: int, step: int) -> Row:
    return {
        "run_uuid": run,
        "key": name,
        "value": value,
        "timestamp": at,
        "step": step,
        "is_nan": False,
    }


def _end(event: Event) -> Row:
    return {"ended": event["run"], "status": event["status"], "end_time": event["at"]}
