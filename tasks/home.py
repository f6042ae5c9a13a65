"""Where everything is kept, and under which addresses people look at it."""

from __future__ import annotations

import os
from pathlib import Path

MLFLOW_PORT = 5000
PREFECT_PORT = 4200
# MLflow's pages open with generative models in mind, unless an address says this.
AS_TRAINING = "?workflowType=machine_learning"


def home() -> Path:
    """The folder of databases, artifacts and checkpoints: NETTUNER_HOME, or ~/.nettuner."""
    folder = Path(os.environ.get("NETTUNER_HOME") or Path.home() / ".nettuner").expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


def tracking_uri() -> str:
    """Where MLflow records: MLFLOW_TRACKING_URI, or a database in the home."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home() / 'mlflow.db'}"


def mlflow_ui() -> str:
    """The address under which people see the records."""
    uri = tracking_uri()
    return uri.rstrip("/") if uri.startswith("http") else f"http://127.0.0.1:{MLFLOW_PORT}"


def prefect_ui() -> str:
    """The address under which people see the flow runs."""
    api = os.environ.get("PREFECT_API_URL", "")
    return api.removesuffix("/").removesuffix("/api") or f"http://127.0.0.1:{PREFECT_PORT}"


def configure_prefect() -> None:
    """Set Prefect up for one machine, where the environment does not say otherwise.

    Has to run before Prefect is imported.
    """
    defaults = {
        "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{home() / 'prefect.db'}",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",  # or Prefect prints a notice, and both it and MLflow report usage
        # A new task run for every trial would otherwise keep the database busy one by one.
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "100",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
        "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "100",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
