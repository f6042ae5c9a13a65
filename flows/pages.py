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

from tasks.home import configure_prefect, home, tracking_uri

HOST = "127.0.0.1"
PATIENCE_SECONDS = 120
GRACE_SECONDS = 5


def serve_pages(mlflow_port: int, prefect_port: int, browser: bool) -> None:
    """Serve both pages until Ctrl-C.

    Raises:
        OSError: a port is taken.
        RuntimeError: a server ended before it answered.
    """
    configure_prefect()
    commands = {}
    if not tracking_uri().startswith("http"):
        commands[f"http://{HOST}:{mlflow_port}"] = _mlflow(mlflow_port)
    if not os.environ.get("PREFECT_API_URL"):
        commands[f"http://{HOST}:{prefect_port}"] = _prefect(prefect_port)
    for port, option in ((mlflow_port, "--mlflow-port"), (prefect_port, "--prefect-port")):
        _check_free(port, option)
    logs = (home() / "pages.log").open("ab")
    print("starting MLflow and Prefect …", file=sys.stderr)
    # MLflow's jobs, which nothing here uses, make its start and its end much longer.
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    servers = [
        # A session each, so that what a server starts ends with it.
        subprocess.Popen(
            command, stdout=logs, stderr=logs, env=environment, start_new_session=True
        )
        for command in commands.values()
    ]
    try:
        for address, server in zip(commands, servers, strict=True):
            _wait_until_healthy(f"{address}/health", f"{address}/api/health", server)
        mlflow = next(iter(commands), tracking_uri())
        prefect = os.environ.get("PREFECT_API_URL") or f"http://{HOST}:{prefect_port}"
        print(f"MLflow:  {mlflow}\nPrefect: {prefect}\nCtrl-C ends both.", flush=True)
        if browser:
            webbrowser.open(mlflow)
        for server in servers:
            server.wait()
    except KeyboardInterrupt:
        pass
    finally:
        _end(servers)


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


def _wait_until_healthy(health: str, other: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"a server ended early; its log is {home() / 'pages.log'}")
        if any(_answers(address) for address in (health, other)):
            return
        time.sleep(0.3)
    raise RuntimeError(f"no answer from {health}; see the log {home() / 'pages.log'}")


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
