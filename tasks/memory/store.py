"""The MLflow store: client and URLs.

Only `MlflowClient` is used: the global state of the fluent interface is not thread-safe.
"""

from __future__ import annotations

from mlflow import MlflowClient
from mlflow.entities import Experiment

from nettuner.tasks.home import AS_TRAINING, mlflow_ui, tracking_uri


def client() -> MlflowClient:
    """A client of the store; creates a local database if it does not exist."""
    return MlflowClient(tracking_uri())


def run_url(experiment_id: str, run_id: str) -> str:
    """URL of a run."""
    return f"{mlflow_ui()}/#/experiments/{experiment_id}/runs/{run_id}{AS_TRAINING}"


def find_experiment(mlflow: MlflowClient, study: str) -> Experiment | None:
    """The study's experiment; None if it was never searched."""
    return mlflow.get_experiment_by_name(study)
