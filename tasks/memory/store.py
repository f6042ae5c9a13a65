"""The MLflow store: client and URLs.

Only `MlflowClient` is used: the global state of the fluent interface is not thread-safe.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from filelock import FileLock

from nettuner.tasks.home import AS_TRAINING, home, mlflow_ui, tracking_uri

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
        return open_client(self.tracking_uri)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def client() -> MlflowClient:
    """A client of the store; creates a local database if it does not exist."""
    return cast("MlflowClient", LaterClient(tracking_uri()))


def open_client(store: str) -> MlflowClient:
    """MLflow's client of a store; creates a local database if it does not exist.

    Args:
        store: URI of the store.
    """
    from mlflow import MlflowClient

    with opening():
        return MlflowClient(store)


@contextmanager
def opening() -> Iterator[None]:
    """Open a store while no other process of this home does.

    The first one makes the tables of a new database, or brings those of an older MLflow up to date,
    which fails where two do so at the same moment.
    """
    with FileLock(home() / "mlflow.lock"):
        yield


def run_url(experiment_id: str, run_id: str) -> str:
    """URL of a run."""
    return f"{mlflow_ui()}/#/experiments/{experiment_id}/runs/{run_id}{AS_TRAINING}"


def find_experiment(mlflow: MlflowClient, study: str) -> Experiment | None:
    """The study's experiment; None if it was never searched."""
    return mlflow.get_experiment_by_name(study)
