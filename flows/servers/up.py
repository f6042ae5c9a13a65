"""Production on one machine: both servers, and the process that runs the deployments."""

from __future__ import annotations

import os
import secrets
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nettuner.flows.servers import resident
from nettuner.flows.servers.databases import Databases, embedded, on_postgresql
from nettuner.flows.servers.processes import (
    PASSWORD_OF_PREFECT,
    Server,
    check_free,
    log_file,
    mlflow_server,
    prefect_server,
    reachable,
    running,
)
from nettuner.tasks.home import (
    ACCOUNT,
    AS_TRAINING,
    attached,
    configure_prefect,
    forget_servers,
    home,
    note_servers,
    servers_run,
)
from nettuner.tasks.loopback import LOOPBACK, without_proxy
from nettuner.tasks.sound_home import check_flow_runs, check_home, check_records

# MLflow rejects shorter ones.
SHORTEST_PASSWORD = 12
GLANCE_SECONDS = 0.5


@dataclass(frozen=True)
class Site:
    """Addresses and password of the servers.

    Args:
        host: Address that both servers are bound to.
        mlflow_port, prefect_port: Port of each server.
        password: Password of the only account; None for no authentication.
    """

    host: str
    mlflow_port: int
    prefect_port: int
    password: str | None = None

    @property
    def mlflow(self) -> str:
        """MLflow's URL on this machine."""
        return f"http://{reachable(self.host)}:{self.mlflow_port}"

    @property
    def prefect(self) -> str:
        """Prefect's URL on this machine."""
        return f"http://{reachable(self.host)}:{self.prefect_port}"


def up(site: Site, database: str | None, deployments: Path) -> None:
    """Start everything, print the URLs, and wait for Ctrl-C.

    Args:
        site: Addresses and password.
        database: URL of a PostgreSQL database; None uses SQLite files in the home.
        deployments: Path of the prefect.yaml to serve.

    Raises:
        OSError: A port is taken.
        ValueError: The network could reach it without a password, the database does not answer, or
            a command uses the servers that stay.
        RuntimeError: A server ended before it answered, or ended by itself later.
        HomeError: The home cannot be written to, or a database in it is damaged.
    """
    resident.end()
    check(site)
    check_home()
    if database is None:
        check_records()
        check_flow_runs()
    kept = embedded() if database is None else on_postgresql(database)
    configure_prefect()
    without_proxy(reachable(site.host))
    print("starting Prefect, MLflow and the deployments …", file=sys.stderr)
    with running(servers(site, kept), log_file("servers")) as processes:
        os.environ.update(attached(site.prefect, site.mlflow, site.password))
        with (
            _noted(site),
            running([deployed(site, deployments)], log_file("deployments")) as runners,
        ):
            locked = "" if site.password is None else f" (account {ACCOUNT}, with the password)"
            print(
                f"MLflow:  {site.mlflow}/#/experiments{AS_TRAINING}{locked}\n"
                f"Prefect: {site.prefect}{locked}\n"
                "Searches of other terminals run here as well. Ctrl-C ends everything.",
                flush=True,
            )
            while all(process.poll() is None for process in (*processes, *runners)):
                time.sleep(GLANCE_SECONDS)
    raise RuntimeError(
        f"a server ended by itself; see {log_file('servers')} and {log_file('deployments')}"
    )


def check(site: Site) -> None:
    """Check ports, password, and that no other servers run for this home.

    Raises:
        OSError: A port is taken.
        ValueError: There is no password for a public host, it is too short, or other servers run.
    """
    if site.password is None and site.host not in LOOPBACK:
        raise ValueError(
            f"servers that others can reach need a password, got --host {site.host} without one; "
            "set NETTUNER_PASSWORD or bind to 127.0.0.1"
        )
    if site.password is not None and len(site.password) < SHORTEST_PASSWORD:
        raise ValueError(
            f"the password must have at least {SHORTEST_PASSWORD} characters, got "
            f"{len(site.password)}; choose a longer one"
        )
    if servers_run():
        raise ValueError(
            f"one set of servers may run for a home, got another for {home()}; end that one, or "
            "set NETTUNER_HOME"
        )
    check_free(site.host, site.mlflow_port, "--mlflow-port")
    check_free(site.host, site.prefect_port, "--prefect-port")


def servers(site: Site, kept: Databases) -> list[Server]:
    """Both servers, Prefect first."""
    prefect = {"PREFECT_API_DATABASE_CONNECTION_URL": kept.prefect, **kept.environment}
    if kept.prefect_schema is not None:
        path = f"{kept.prefect_schema},public"
        prefect["PREFECT_SERVER_DATABASE_SQLALCHEMY_CONNECT_ARGS_SEARCH_PATH"] = path
    mlflow = dict(kept.environment)
    more = ["--artifacts-destination", str(home() / "artifacts")]
    if site.password is not None:
        prefect[PASSWORD_OF_PREFECT] = f"{ACCOUNT}:{site.password}"
        mlflow |= _users(kept, site.password)
        more += ["--app-name", "basic-auth"]
    if site.host not in LOOPBACK:
        more += ["--allowed-hosts", "*"]  # access is protected by the password
    return [
        prefect_server(site.host, site.prefect_port, prefect),
        mlflow_server(site.host, site.mlflow_port, kept.mlflow, more, mlflow),
    ]


def _users(kept: Databases, password: str) -> dict[str, str]:
    """Environment variables of MLflow's only account; its settings file has no password."""
    path = home() / "mlflow-users.ini"
    path.touch(mode=0o600)
    path.write_text(
        "[mlflow]\n"
        "default_permission = MANAGE\n"
        f"database_uri = {kept.users.replace('%', '%%')}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
        "auth_cache_ttl_seconds = 60\n",
        encoding="utf-8",
    )
    return {
        "MLFLOW_AUTH_CONFIG_PATH": str(path),
        "MLFLOW_AUTH_ADMIN_USERNAME": ACCOUNT,
        "MLFLOW_AUTH_ADMIN_PASSWORD": password,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(32),
    }


def deployed(site: Site, deployments: Path) -> Server:
    """The process that registers and runs the deployments."""
    port = free_port()
    return Server(
        "the deployments",
        [
            sys.executable,
            "-m",
            "nettuner.flows.cli",
            "serve",
            "--alone",
            "--deployments",
            str(deployments),
        ],
        f"http://127.0.0.1:{port}/health",
        {
            **attached(site.prefect, site.mlflow, site.password),
            "PREFECT_RUNNER_SERVER_ENABLE": "true",
            "PREFECT_RUNNER_SERVER_HOST": "127.0.0.1",
            "PREFECT_RUNNER_SERVER_PORT": str(port),
        },
    )


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def _noted(site: Site) -> Iterator[None]:
    """Register the servers for commands of other terminals while they run."""
    note_servers(site.prefect, site.mlflow)
    try:
        yield
    finally:
        forget_servers()
