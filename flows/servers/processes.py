"""Servers as child processes: started together, checked until they answer, ended together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from nettuner.tasks.home import home, origins, tracking_uri
from nettuner.tasks.private import OTHERS

PATIENCE_SECONDS = 120
GRACE_SECONDS = 5
PASSWORD_OF_PREFECT = "PREFECT_SERVER_API_AUTH_STRING"
# MLflow's jobs are not used here and make its start and end much slower.
WITHOUT_JOBS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


@dataclass(frozen=True)
class Server:
    """A server process.

    Args:
        name: Name in messages.
        command: Command that starts it.
        health: URL that answers 200 when it is ready.
        environment: Additional environment variables.
    """

    name: str
    command: Sequence[str]
    health: str
    environment: Mapping[str, str] = field(default_factory=dict)


def mlflow_server(
    host: str,
    port: int,
    store: str | None = None,
    more: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Server:
    """MLflow's server for a store, by default the current tracking store."""
    # One worker: with MLflow's default of four, requests take fifteen times as long.
    where = ["--host", host, "--port", str(port), "--workers", "1"]
    command = [sys.executable, "-m", "mlflow", "server", *where, *more]
    health = f"http://{reachable(host)}:{port}/health"
    # Not as an argument: every account of the machine can read those.
    told = {"MLFLOW_BACKEND_STORE_URI": store or tracking_uri(), **WITHOUT_JOBS}
    return Server("MLflow", command, health, {**told, **(environment or {})})


def prefect_server(host: str, port: int, environment: Mapping[str, str] | None = None) -> Server:
    """Prefect's server, with the API's URL set for its pages."""
    command = [sys.executable, "-m", "uvicorn", "--factory", "nettuner.flows.servers.own_pages:app"]
    where = ["--host", host, "--port", str(port), "--log-level", "warning"]
    address = f"http://{reachable(host)}:{port}/api"
    told = {**prefect_environment(reachable(host), port), **(environment or {})}
    return Server("Prefect", [*command, *where], f"{address}/health", told)


def prefect_environment(host: str, port: int) -> dict[str, str]:
    """The environment of a Prefect server that answers its own pages alone."""
    return {
        "PREFECT_SERVER_UI_API_URL": f"http://{host}:{port}/api",
        "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": origins(host, port),
    }


def reachable(host: str) -> str:
    """The host name by which this machine reaches a server bound to `host`."""
    return "127.0.0.1" if host in ("0.0.0.0", "::") else host


@contextmanager
def running(servers: Sequence[Server], log: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start servers, wait until all answer, and end them with their child processes.

    Args:
        servers: Servers to start.
        log: Path of the file for their output.

    Raises:
        RuntimeError: A server ended before it answered, or does not answer.
    """
    processes = [_started(server, log) for server in servers]
    try:
        for server, process in zip(servers, processes, strict=True):
            _wait_until_healthy(server, process, log)
        yield processes
    finally:
        end(processes)


def _started(server: Server, log: Path) -> subprocess.Popen[bytes]:
    """Start a server in a process group of its own, so that its children end with it."""
    with log.open("ab") as file:
        return subprocess.Popen(
            list(server.command),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env={**os.environ, **server.environment},
            start_new_session=True,
            umask=OTHERS,
        )


def end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Terminate servers and their child processes; kill those that remain."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        for process in processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, how)
        for process in processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=GRACE_SECONDS)


def check_free(host: str, port: int, option: str) -> None:
    """Check that a port is free.

    Raises:
        OSError: The port is taken.
    """
    with socket.socket() as probe:
        if probe.connect_ex((reachable(host), port)) == 0:
            raise OSError(f"port {port} is taken; give another one with {option}")


def _wait_until_healthy(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{server.name} ended before it answered; its log is {log}")
        if answers(server.health):
            return
        time.sleep(0.3)
    raise RuntimeError(f"no answer from {server.health}; see the log {log}")


def answers(address: str) -> bool:
    """Whether a URL answers 200."""
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def log_file(name: str) -> Path:
    """Path of a log file for the output of servers."""
    return home() / f"{name}.log"
