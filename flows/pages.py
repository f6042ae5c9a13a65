"""The pages of MLflow and Prefect over what was recorded, for as long as somebody looks."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Sequence
from contextlib import suppress

from tasks.home import (
    AS_TRAINING,
    configure_prefect,
    home,
    mlflow_ui,
    prefect_ui,
    tracking_uri,
)

HOST = "127.0.0.1"
PATIENCE_SECONDS = 120
GRACE_SECONDS = 5


def serve_pages(mlflow_port: int, prefect_port: int, browser: bool) -> None:
    """Serve both pages until Ctrl-C, except those that a server of the user's own has.

    Raises:
        OSError: a port is taken.
        RuntimeError: a server ended before it answered.
    """
    configure_prefect()
    mlflow, prefect = f"http://{HOST}:{mlflow_port}", f"http://{HOST}:{prefect_port}"
    commands: dict[str, list[str]] = {}
    if tracking_uri().startswith("http"):
        mlflow = mlflow_ui()
    else:
        _check_free(mlflow_port, "--mlflow-port")
        commands[f"{mlflow}/health"] = _mlflow(mlflow_port)
    if os.environ.get("PREFECT_API_URL"):
        prefect = prefect_ui()
    else:
        _check_free(prefect_port, "--prefect-port")
        commands[f"{prefect}/api/health"] = _prefect(prefect_port)
    servers = _start(list(commands.values()))
    try:
        for address, server in zip(commands, servers, strict=True):
            _wait_until_healthy(address, server)
        mlflow += f"/#/experiments{AS_TRAINING}"
        print(f"MLflow:  {mlflow}\nPrefect: {prefect}\nCtrl-C ends both.", flush=True)
        if browser:
            webbrowser.open(mlflow)
        for server in servers:
            server.wait()
    except KeyboardInterrupt:
        pass
    finally:
        _end(servers)


def _start(commands: Sequence[list[str]]) -> list[subprocess.Popen[bytes]]:
    """Start the servers, each in a session of its own, so that what it starts ends with it."""
    if commands:
        print("starting the pages …", file=sys.stderr)
    # MLflow's jobs, which nothing here uses, make its start and its end much longer.
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (home() / "pages.log").open("ab") as log:
        return [
            subprocess.Popen(
                command, stdout=log, stderr=log, env=environment, start_new_session=True
            )
            for command in commands
        ]


def _end(servers: Sequence[subprocess.Popen[bytes]]) -> None:
    """End the servers and all that they started; those that linger are killed."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        for server in servers:
            with suppress(ProcessLookupError):
                os.killpg(server.pid, how)
        for server in servers:
            with suppress(subprocess.TimeoutExpired):
                server.wait(timeout=GRACE_SECONDS)


def _mlflow(port: int) -> list[str]:
    # One worker: with MLflow's default of four every request takes fifteen times as long.
    where = ["--backend-store-uri", tracking_uri(), "--host", HOST, "--port", str(port)]
    return [sys.executable, "-m", "mlflow", "server", *where, "--workers", "1"]


def _prefect(port: int) -> list[str]:
    return [sys.executable, "-m", "prefect", "server", "start", "--host", HOST, "--port", str(port)]


def _check_free(port: int, option: str) -> None:
    with socket.socket() as probe:
        if probe.connect_ex((HOST, port)) == 0:
            raise OSError(f"port {port} is taken; give another one with {option}")


def _wait_until_healthy(address: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"a server ended early; its log is {home() / 'pages.log'}")
        if _answers(address):
            return
        time.sleep(0.3)
    raise RuntimeError(f"no answer from {address}; see the log {home() / 'pages.log'}")


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
