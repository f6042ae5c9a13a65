"""Loads the model that a search has logged."""

from __future__ import annotations

from typing import Any

import mlflow
from mlflow.exceptions import MlflowException

from nettuner.tasks.home import tracking_uri


def load_model(run_id: str) -> Any:
    """The winner's model as MLflow serves it, with a method `predict`; None if there is none.

    Args:
        run_id: Id of the search's run.
    """
    mlflow.set_tracking_uri(tracking_uri())
    try:
        return mlflow.pyfunc.load_model(f"runs:/{run_id}/model")
    except MlflowException:
        return None
