"""All uses of MLflow's internal interfaces, in one place.

- `delete_artifacts`: its client can write artifacts but not delete them.
- `is_absent`, `has_no_alias`, `exists`: its exceptions are told apart by protocol error codes.
- `log_pyfunc`: logs a model on a run through `Model.log`, because the fluent interface takes run
  and experiment from global state.
- `server_app`: the application of its server, which `mlflow server` runs in a process of its own.

`tests/tasks/memory/test_mlflow_private.py` fails if a release changes one of them.
"""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any, cast

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

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def server_app(store: str, artifacts: str) -> ASGIApp:
    """The application of MLflow's server; in a process of its own, for it reads the environment.

    Args:
        store: URI of the store.
        artifacts: Folder for the artifacts of experiments that are made in its pages.
    """
    os.environ |= {
        "_MLFLOW_SERVER_FILE_STORE": store,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": artifacts,
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SGI_NAME": "uvicorn",
    }
    from mlflow.server.fastapi_app import app
    from mlflow.server.handlers import initialize_backend_stores

    initialize_backend_stores(store, store, "mlflow-artifacts:/")
    return cast("ASGIApp", app)


def delete_artifacts(mlflow: MlflowClient, root: str, path: str) -> None:
    """Delete a folder of a run's artifacts.

    Args:
        mlflow: MLflow client.
        root: URI of the run's artifacts.
        path: Path of the folder below it.
    """
    store = get_artifact_repository(root, mlflow.tracking_uri)
    store.delete_artifacts(path)  # type: ignore[no-untyped-call]


def is_absent(error: MlflowException) -> bool:
    """Whether the model or version does not exist."""
    return bool(error.error_code == ErrorCode.Name(RESOURCE_DOES_NOT_EXIST))


def has_no_alias(error: MlflowException) -> bool:
    """Whether no version of the model has the alias."""
    wrong = error.error_code == ErrorCode.Name(INVALID_PARAMETER_VALUE)
    return wrong and "alias" in str(error)


def exists(error: MlflowException) -> bool:
    """Whether the object to create exists already."""
    return bool(error.error_code == ErrorCode.Name(RESOURCE_ALREADY_EXISTS))


def log_pyfunc(
    mlflow: MlflowClient, experiment_id: str, run_id: str, name: str, **model: Any
) -> None:
    """Log a model on a run.

    Args:
        mlflow: MLflow client.
        experiment_id: Id of the run's experiment.
        run_id: Id of the run to log it on.
        name: Name of the model.
        model: Further arguments of `mlflow.pyfunc.log_model`.
    """
    # Created here, as `Model.log` would take the experiment from global state.
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
