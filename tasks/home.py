"""Where everything is kept, and under which addresses people look at it."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from nettuner.models.address import without_account
from nettuner.tasks import noted
from nettuner.tasks.loopback import without_proxy
from nettuner.tasks.private import close_to_others

MLFLOW_PORT = 5000
PREFECT_PORT = 4200
FLOW_RUNS = "PREFECT_API_DATABASE_CONNECTION_URL"
# MLflow's pages open with generative models in mind, unless an address says this.
AS_TRAINING = "?workflowType=machine_learning"


# The one account where servers have a password, and the variable that holds the password.
ACCOUNT = "nettuner"
PASSWORD = "NETTUNER_PASSWORD"


class HomeError(ValueError):
    """The home cannot be used as it is."""


def home() -> Path:
    """The folder of databases, artifacts and checkpoints: NETTUNER_HOME, or ~/.nettuner.

    It is made if it is missing, and closed to other accounts.

    Raises:
        HomeError: It cannot be made, or is not this account's alone.
    """
    given = os.environ.get("NETTUNER_HOME") or "~/.nettuner"
    try:
        folder = Path(given).expanduser().resolve()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        shared = folder.stat().st_mode & stat.S_ISVTX
        if not shared:
            close_to_others(folder)
    except (OSError, RuntimeError, ValueError) as error:  # of a folder; of ~user; of a character
        reason = str(getattr(error, "strerror", None) or error).lower()
        raise HomeError(
            f"NETTUNER_HOME must be a folder of your own that can be written to, got {given}: "
            f"{reason}; set it to another folder"
        ) from None
    if shared:
        raise HomeError(
            f"NETTUNER_HOME must be a folder of your own, got {given}, where all accounts write; "
            "set it to a folder in there"
        )
    return folder


def tracking_uri() -> str:
    """Where MLflow records: MLFLOW_TRACKING_URI, a server of `nettuner up`, or a file.

    An account in a server's address is moved to the variables that MLflow has for it.
    """
    account_aside("MLFLOW_TRACKING_URI", _for_mlflow)
    named = os.environ.get("MLFLOW_TRACKING_URI")
    return named or _servers().get("MLFLOW_TRACKING_URI") or own_records()


def own_records() -> str:
    """MLflow's database in the home."""
    return f"sqlite:///{home() / 'mlflow.db'}"


def own_flow_runs() -> bool:
    """Whether a server that is started here has Prefect's database in the home."""
    return os.environ.get(FLOW_RUNS, _own_flow_runs()) == _own_flow_runs()


def _own_flow_runs() -> str:
    return f"sqlite+aiosqlite:///{home() / 'prefect.db'}"


def account_aside(name: str, kept: Callable[[str, str], dict[str, str]]) -> None:
    """Move the account in the address of a server to variables of its own.

    Addresses end up in links, records and messages.

    Args:
        name: Name of the environment variable with the address.
        kept: Function from a user and a password to the variables for them.
    """
    address = os.environ.get(name, "")
    bare = without_account(address)
    if bare == address or not address.lower().startswith("http"):
        return
    user, _, password = urlsplit(address).netloc.rpartition("@")[0].partition(":")
    os.environ.update({name: bare, **kept(unquote(user), unquote(password))})


def _for_mlflow(user: str, password: str) -> dict[str, str]:
    return {"MLFLOW_TRACKING_USERNAME": user, "MLFLOW_TRACKING_PASSWORD": password}


def _for_prefect(user: str, password: str) -> dict[str, str]:
    return {"PREFECT_API_AUTH_STRING": f"{user}:{password}"}


def attached(prefect: str, mlflow: str, password: str | None) -> dict[str, str]:
    """The environment of a process that works with two servers.

    Args:
        prefect, mlflow: Their addresses.
        password: Password of their account; None where they have none.
    """
    found = {"PREFECT_API_URL": f"{prefect}/api", "MLFLOW_TRACKING_URI": mlflow}
    found["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"  # of every run, when it ends
    if password is not None:
        found |= _for_prefect(ACCOUNT, password) | _for_mlflow(ACCOUNT, password)
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
    uri = without_account(os.environ.get("NETTUNER_MLFLOW_UI") or tracking_uri())
    if uri.startswith("http"):
        return uri.rstrip("/")
    found = noted.running(home()) if uri == own_records() else None
    return found.mlflow.address if found else f"http://127.0.0.1:{MLFLOW_PORT}"


def mlflow_server() -> str | None:
    """The address of an MLflow server that answers and has the records of the home; or None.

    Who reads much is faster there than on the file; who writes stays with the file.
    """
    if tracking_uri() != own_records():
        return None
    found = noted.running(home())
    return found.mlflow.address if found and found.mlflow.answers else None


def prefect_ui() -> str:
    """The address under which people see flow runs: NETTUNER_PREFECT_UI, or the server's own."""
    api = os.environ.get("NETTUNER_PREFECT_UI") or os.environ.get("PREFECT_API_URL", "")
    return (
        without_account(api).removesuffix("/").removesuffix("/api")
        or f"http://127.0.0.1:{PREFECT_PORT}"
    )


def origins(host: str, port: int) -> str:
    """The pages that may ask a server on this machine: its own, under each of its names."""
    names = dict.fromkeys([host, "127.0.0.1", "localhost", "[::1]"])
    return ",".join(f"http://{name}:{port}" for name in names)


def configure_prefect() -> None:
    """Set Prefect up for one machine, where the environment does not say otherwise.

    Has to run before Prefect is imported.
    """
    told = _servers()
    servers = (told.get(name, "") for name in ("PREFECT_API_URL", "MLFLOW_TRACKING_URI"))
    without_proxy(*filter(None, (urlsplit(address).hostname for address in servers)))
    account_aside("PREFECT_API_URL", _for_prefect)
    defaults = {
        **told,
        FLOW_RUNS: _own_flow_runs(),
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # A page of somebody else, open in the browser of this machine, starts nothing.
        "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": origins("127.0.0.1", PREFECT_PORT),
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
