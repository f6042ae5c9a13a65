"""By which way records are read: quickly from a server, or by MLflow's own client."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from nettuner.tasks.home import mlflow_server, tracking_uri
from nettuner.tasks.memory import store
from nettuner.tasks.memory.rest_reader import RestReader

if TYPE_CHECKING:
    from mlflow import MlflowClient

Reader: TypeAlias = "MlflowClient | RestReader"
"""What `recall` and the tables of champions read with."""

# Settings of MLflow's client that decide how a server is reached, or where models are registered.
OF_THE_CLIENT = (
    "MLFLOW_REGISTRY_URI",
    "MLFLOW_TRACKING_AUTH",
    "MLFLOW_TRACKING_AWS_SIGV4",
    "MLFLOW_TRACKING_CLIENT_CERT_PATH",
    "MLFLOW_TRACKING_INSECURE_TLS",
    "MLFLOW_TRACKING_SERVER_CERT_PATH",
    "MLFLOW_TRACKING_TOKEN",
    "MLFLOW_WORKSPACE",
)


def reader() -> Reader:
    """Reads from the server of these records, where one runs that needs no more than an account.

    Everything else, such as a database file without a server, is left to MLflow's client.
    """
    records = tracking_uri()
    server = records if records.startswith("http") else mlflow_server()
    if server is not None and not _needs_the_client():
        return RestReader(server)
    return store.client()


def _needs_the_client() -> bool:
    if any(os.environ.get(name) for name in OF_THE_CLIENT):
        return True
    kept = Path("~/.mlflow/credentials").expanduser()
    return kept.exists() and not os.environ.get("MLFLOW_TRACKING_USERNAME")
