"""Writes events by calls of MLflow's client: a few for each run, however many its events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mlflow.entities import Metric, Param, RunTag

from nettuner.tasks.memory.events import END, LOG, Event
from nettuner.tasks.memory.metrics import Point
from nettuner.tasks.memory.writer import write_artifacts

if TYPE_CHECKING:
    from mlflow import MlflowClient

# MLflow's limits for one batch.
MOST_METRICS = 900
MOST_PARAMS_AND_TAGS = 100


class CallWriter:
    """Writes to any store; a run was made when it began, as the store chooses its id."""

    def __init__(self, mlflow: MlflowClient) -> None:
        self._mlflow = mlflow

    def write(self, events: Sequence[Event]) -> None:
        """Write events, the runs one after another."""
        runs: dict[str, list[Event]] = {}
        for event in events:
            runs.setdefault(event["run"], []).append(event)
        for run_id, told in runs.items():
            self._write(run_id, told)

    def _write(self, run_id: str, told: Sequence[Event]) -> None:
        metrics: list[Point] = []
        params: dict[str, str] = {}
        tags: dict[str, str] = {}
        for event in (event for event in told if event["do"] == LOG):
            metrics += event["metrics"]
            params |= event["params"]
            tags |= event["tags"]
        send(self._mlflow, run_id, metrics, params, tags)
        write_artifacts(self._mlflow, told)
        for event in (event for event in told if event["do"] == END):
            self._mlflow.set_terminated(run_id, event["status"], event["at"])


def send(
    mlflow: MlflowClient,
    run_id: str,
    points: Sequence[Point],
    params: Mapping[str, str],
    tags: Mapping[str, str],
) -> None:
    """Log metrics, params and tags to a run, in batches within MLflow's limits."""
    metrics = [Metric(*point) for point in points]
    pairs = [Param(*pair) for pair in params.items()]
    entries = [RunTag(*entry) for entry in tags.items()]
    while metrics or pairs or entries:
        now = entries[:MOST_PARAMS_AND_TAGS]
        fitting = MOST_PARAMS_AND_TAGS - len(now)
        mlflow.log_batch(run_id, metrics[:MOST_METRICS], pairs[:fitting], now)
        metrics, pairs = metrics[MOST_METRICS:], pairs[fitting:]
        entries = entries[MOST_PARAMS_AND_TAGS:]
