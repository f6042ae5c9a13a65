"""A store of its own for each file."""

from __future__ import annotations

import pytest
from mlflow import MlflowClient


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory):
    """A client of an SQLite file with one experiment, x."""
    folder = tmp_path_factory.mktemp("store")
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    client.create_experiment("x", artifact_location=(folder / "artifacts").as_uri())
    return client
