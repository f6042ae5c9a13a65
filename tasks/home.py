"""Where everything is kept, and under which addresses people look at it."""

from __future__ import annotations

import json
import os
from pathlib import Path

MLFLOW_PORT = 5000
PREFECT_PORT = 4200
# MLflow's pages open with generative models in mind, unless an address says this.
AS_TRAINING = "?workflowType=machine_learning"


# The one account where servers have a password, and the variable that holds the password.
ACCOUNT = "nettuner"
PASSWORD = "NETTUNER_PASSWORD"


def home() -> Path:
    """The folder of databases, artifacts and checkpoints: NETTUNER_HOME, or ~/.nettuner."""
    folder = Path(os.environ.get("NETTUNER_HOME") or Path.home() / ".nettuner").expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


def tracking_uri() -> str:
    """Where MLflow records: MLFLOW_TRACKING_URI, a server of `nettuner up`, or a file."""
    named = os.environ.get("MLFLOW_TRACKING_URI")
    return named or _servers().get("MLFLOW_TRACKING_URI") or f"sqlite:///{home() / 'mlflow.db'}"


def attached(prefect: str, mlflow: str, password: str | None) -> dict[str, str]:
    """The environment of a process that works with two servers.

    Args:
        prefect, mlflow: Their addresses.
        password: Password of their account; None where they have none.
    """
    found = {"PREFECT_API_URL": f"{prefect}/api", "MLFLOW_TRACKING_URI": mlflow}
    found["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"  # of every run, when it ends
    if password is not None:
        found["PREFECT_API_AUTH_STRING"] = f"{ACCOUNT}:{password}"
        found["MLFLOW_TRACKING_USERNAME"] = ACCOUNT
        found["MLFLOW_TRACKING_PASSWORD"] = password
    return found


def note_servers(prefect: str, mlflow: str) -> None:
    """Leave the addresses of the servers that this process runs for other processes."""
    told = {"process": os.getpid(), "prefect": prefect, "mlflow": mlflow}
    _note().write_text(json.dumps(told), encoding="utf-8")


def forget_servers() -> None:
    """They run no longer."""
    _note().unlink(missing_ok=True)


def servers_run() -> bool:
    """Whether `nettuner up` runs for this home."""
    return bool(_servers())


def _note() -> Path:
    return home() / "servers.json"


def _servers() -> dict[str, str]:
    """The environment that the servers of `nettuner up` ask for; empty while none run."""
    try:
        told = json.loads(_note().read_text(encoding="utf-8"))
        os.kill(told["process"], 0)
    except (OSError, ValueError, KeyError):
        return {}
    return attached(told["prefect"], told["mlflow"], os.environ.get(PASSWORD))


def mlflow_ui() -> str:
    """The address under which people see the records: NETTUNER_MLFLOW_UI, or the server's own."""
    uri = os.environ.get("NETTUNER_MLFLOW_UI") or tracking_uri()
    return uri.rstrip("/") if uri.startswith("http") else f"http://127.0.0.1:{MLFLOW_PORT}"


def prefect_ui() -> str:
    """The address under which people see flow runs: NETTUNER_PREFECT_UI, or the server's own."""
    api = os.environ.get("NETTUNER_PREFECT_UI") or os.environ.get("PREFECT_API_URL", "")
    return api.removesuffix("/").removesuffix("/api") or f"http://127.0.0.1:{PREFECT_PORT}"


def configure_prefect() -> None:
    """Set Prefect up for one machine, where the environment does not say otherwise.

    Has to run before Prefect is imported.
    """
    defaults = {
        **_servers(),
        "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{home() / 'prefect.db'}",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",  # or Prefect prints a notice, and both it and MLflow report usage
        # A new task run for every trial would otherwise keep the database busy one by one.
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "100",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
        "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "100",
        # How soon a deployment's runs are noticed, and those that wait for one that runs.
        "PREFECT_RUNNER_POLL_FREQUENCY": "3",
        "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "5",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
