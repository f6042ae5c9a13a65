"""The MLflow store: client, URLs, and batches.

Only `MlflowClient` is used: the global state of the fluent interface is not thread-safe.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Experiment, Metric, Param, RunTag

from nettuner.tasks.home import AS_TRAINING, mlflow_ui, tracking_uri
from nettuner.tasks.memory.tags import OURS

# MLflow's limits for one batch and for the name of a metric.
MOST_METRICS = 900
MOST_PARAMS_AND_TAGS = 100
LONGEST_NAME = 250
LONGEST_PARAM = 6000
FORBIDDEN = re.compile(r"[^\w.:/ -]")


def client() -> MlflowClient:
    """A client of the store; creates a local database if it does not exist."""
    return MlflowClient(tracking_uri())


def run_url(experiment_id: str, run_id: str) -> str:
    """URL of a run."""
    return f"{mlflow_ui()}/#/experiments/{experiment_id}/runs/{run_id}{AS_TRAINING}"


def find_experiment(mlflow: MlflowClient, study: str) -> Experiment | None:
    """The study's experiment; None if it was never searched."""
    return mlflow.get_experiment_by_name(study)


def send(
    mlflow: MlflowClient,
    run_id: str,
    metrics: Sequence[Metric],
    params: Sequence[Param],
    tags: Mapping[str, str],
) -> None:
    """Log metrics, params and tags to a run, in batches within MLflow's limits."""
    entries = as_tags(tags)
    while metrics or params or entries:
        now = entries[:MOST_PARAMS_AND_TAGS]
        fitting = MOST_PARAMS_AND_TAGS - len(now)
        mlflow.log_batch(run_id, metrics[:MOST_METRICS], params[:fitting], now)
        metrics, params = metrics[MOST_METRICS:], params[fitting:]
        entries = entries[MOST_PARAMS_AND_TAGS:]


def resend(mlflow: MlflowClient, run_id: str, waiting: Mapping[str, Any]) -> None:
    """Send what `TrialRecord.waiting` returned."""
    metrics = [Metric(*metric) for metric in waiting["metrics"]]
    params = [Param(name, value) for name, value in waiting["params"].items()]
    send(mlflow, run_id, metrics, params, waiting["tags"])


def finite_metrics(step: int, at: float, values: Mapping[str, float]) -> list[Metric]:
    """Metrics as MLflow can store them: finite values, valid names.

    It would store infinity as the largest float.
    """
    return [
        Metric(fit(name), float(value), int(at * 1000), int(step))
        for name, value in values.items()
        if math.isfinite(value)
    ]


def fit(name: str) -> str:
    """A name of a metric as MLflow takes it.

    It refuses most special characters, empty names, and what would leave a folder as a path. A name
    that has to change ends in a digest, so that no two names become one.
    """
    parts = FORBIDDEN.sub("_", name).split("/")
    fitting = "/".join("_" if part in ("", ".", "..") else part for part in parts)[:LONGEST_NAME]
    if fitting == name and not name.startswith(OURS):
        return name
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:4]
    return f"{fitting[: LONGEST_NAME - 6].removesuffix('/')}-{digest}"


def as_tags(tags: Mapping[str, str]) -> list[RunTag]:
    """Tags in the form of MLflow's client."""
    return [RunTag(name, value) for name, value in tags.items()]
