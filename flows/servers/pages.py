"""Serves the web pages of MLflow and Prefect until Ctrl-C."""

from __future__ import annotations

import os
import sys
import webbrowser

from nettuner.flows.servers import resident
from nettuner.flows.servers.processes import (
    check_free,
    log_file,
    mlflow_server,
    prefect_server,
    running,
)
from nettuner.tasks.home import (
    AS_TRAINING,
    MLFLOW_PORT,
    PREFECT_PORT,
    configure_prefect,
    mlflow_ui,
    prefect_ui,
    tracking_uri,
)
from nettuner.tasks.sound_home import check_flow_runs, check_home, check_records

HOST = "127.0.0.1"


def show_pages(mlflow_port: int | None, prefect_port: int | None, browser: bool) -> None:
    """Show the pages of the servers that stay; with ports, or without those, serve them here.

    Raises:
        OSError: A port is taken.
        RuntimeError: A server ended before it answered.
        HomeError: The home cannot be written to, or a database in it is damaged.
    """
    check_home()
    check_records()
    if mlflow_port is None and prefect_port is None and (found := resident.serving()):
        mlflow = f"{found.mlflow.address}/#/experiments{AS_TRAINING}"
        print(
            f"MLflow:  {mlflow}\nPrefect: {found.prefect.address}\n"
            f"They end when nobody has used them for {found.idle_minutes:g} minutes, or with: "
            "nettuner down"
        )
        if browser:
            webbrowser.open(mlflow)
        return
    _serve_pages(mlflow_port or MLFLOW_PORT, prefect_port or PREFECT_PORT, browser)


def _serve_pages(mlflow_port: int, prefect_port: int, browser: bool) -> None:
    """Serve both pages until Ctrl-C, except those that the user's own server has."""
    configure_prefect()
    mlflow, prefect = f"http://{HOST}:{mlflow_port}", f"http://{HOST}:{prefect_port}"
    servers = []
    if tracking_uri().startswith("http"):
        mlflow = mlflow_ui()
    else:
        check_free(HOST, mlflow_port, "--mlflow-port")
        servers.append(mlflow_server(HOST, mlflow_port))
    if os.environ.get("PREFECT_API_URL"):
        prefect = prefect_ui()
    else:
        check_free(HOST, prefect_port, "--prefect-port")
        check_flow_runs()
        servers.append(prefect_server(HOST, prefect_port))
    if servers:
        print("starting the pages …", file=sys.stderr)
    try:
        with running(servers, log_file("pages")) as processes:
            mlflow += f"/#/experiments{AS_TRAINING}"
            last = "\nCtrl-C ends them." if processes else ""
            print(f"MLflow:  {mlflow}\nPrefect: {prefect}{last}", flush=True)
            if browser:
                webbrowser.open(mlflow)
            for process in processes:
                process.wait()
    except KeyboardInterrupt:
        pass
