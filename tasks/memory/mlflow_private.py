"""What MLflow does not promise to keep and is used nevertheless, in one place.

- `delete_artifacts`: its client can write what a run keeps, not delete it.
- `is_absent`, `has_no_alias`, `exists`: its exceptions tell what is wrong by codes of its protocol.
- `log_pyfunc`: logs a model on a run through `Model.log`, without the fluent interface, which
  would take run and experiment from global state.

`tests/tasks/memory/test_mlflow_private.py` fails first where a release changes one of them.
"""

from __future__ import annotations

import warnings
from typing import Any

from mlflow import MlflowClient, pyfunc
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.protos.databricks_pb2 import (
    INVALID_PARAMETER_VALUE,
    RESOURCE_ALREADY_EXISTS,
    RESOURCE_DOES_NOT_EXIST,
    ErrorCode,
)
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository


def delete_artifacts(mlflow: MlflowClient, root: str, path: str) -> None:
    """Delete a folder of what a run keeps.

    Args:
        mlflow: Client of the store.
        root: Address of all that the run keeps.
        path: Folder below it.
    """
    store = get_artifact_repository(root, mlflow.tracking_uri)
    store.delete_artifacts(path)  # type: ignore[no-untyped-call]


def is_absent(error: MlflowException) -> bool:
    """Whether there is no such model or version."""
    return bool(error.error_code == ErrorCode.Name(RESOURCE_DOES_NOT_EXIST))


def has_no_alias(error: MlflowException) -> bool:
    """Whether a model has no version of the alias that was asked for."""
    wrong = error.error_code == ErrorCode.Name(INVALID_PARAMETER_VALUE)
    return wrong and "alias" in str(error)


def exists(error: MlflowException) -> bool:
    """Whether what was to be created is there already."""
    return bool(error.error_code == ErrorCode.Name(RESOURCE_ALREADY_EXISTS))


def log_pyfunc(
    mlflow: MlflowClient, experiment_id: str, run_id: str, name: str, **model: Any
) -> None:
    """Log a model on a run.

    Args:
        mlflow: Client of the store.
        experiment_id: Experiment of the run.
        run_id: Run that logs it.
        name: Name of the model.
        model: Further arguments of `mlflow.pyfunc.log_model`.
    """
    # Made here and not by `log`, which would take the experiment from global state.
    logged = mlflow.create_logged_model(
        experiment_id, name=name, source_run_id=run_id, model_type="winner"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Model.log(
            artifact_path=None,
            flavor=pyfunc,
            model_id=logged.model_id,
            run_id=run_id,
            **model,
        )
