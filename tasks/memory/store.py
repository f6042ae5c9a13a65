"""The MLflow store: client and URLs.

Only `MlflowClient` is used: the global state of the fluent interface is not thread-safe.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from nettuner.tasks.home import AS_TRAINING, mlflow_ui, tracking_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment


class LaterClient:
    """MLflow's client, which is imported, in seconds, when it is first asked for something.

    Args:
        tracking_uri: URI of the store.
    """

    def __init__(self, tracking_uri: str) -> None:
        self.tracking_uri = tracking_uri

    @cached_property
    def _client(self) -> MlflowClient:
        from mlflow import MlflowClient

        return MlflowClient(self.tracking_uri)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def client() -> MlflowClient:
    """A client of the store; creates a local database if it does not exist."""
    return cast("MlflowClient", LaterClient(tracking_uri()))


def run_url(experiment_id: str, run_id: str) -> str:
    """URL of a run."""
    return f"{mlflow_ui()}/#/experiments/{experiment_id}/runs/{run_id}{AS_TRAINING}"


def find_experiment(mlflow: MlflowClient, study: str) -> Experiment | None:
    """The study's experiment; None if it was never searched."""
    return mlflow.get_experiment_by_name(study)
