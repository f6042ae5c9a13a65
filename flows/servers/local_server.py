"""The temporary server of one command, where no servers stay."""

from __future__ import annotations

import atexit
import os
import socket

from nettuner.flows.servers import own_server
from nettuner.flows.servers.processes import PATIENCE_SECONDS, end, log_file, prefect_environment
from nettuner.tasks.home import prefect_ui
from nettuner.tasks.sound_home import check_flow_runs

# It ends with this process, however that ends: then these sockets are closed.
_kept: list[socket.socket] = []


def start_local_server() -> None:
    """Start it, out of reach of Ctrl-C, unless the settings name a server.

    Ctrl-C reaches all processes of a terminal. The server would end before the states of the trials
    are recorded, and the search would fail instead of ending cleanly.

    What it has to say goes to a file, for it concerns nobody who waits for a search.

    Raises:
        HomeError: Its database is damaged.
        RuntimeError: It does not answer.
    """
    from prefect.settings import get_current_settings

    from nettuner.flows.prefect_runs.prefect_private import EPHEMERAL, read_settings_again

    settings = get_current_settings()
    if settings.api.url or not settings.server.ephemeral.enabled:
        return
    check_flow_runs()
    # It has no pages; those that `nettuner ui` serves later show what it recorded.
    os.environ["NETTUNER_PREFECT_UI"] = prefect_ui()
    os.environ["PREFECT_API_URL"] = f"{_started(EPHEMERAL)}/api"
    read_settings_again()


def _started(more: dict[str, str]) -> str:
    """The address of a new server that answers."""
    where, log = socket.create_server(("127.0.0.1", 0)), log_file("prefect")
    port = where.getsockname()[1]
    told = {**prefect_environment("127.0.0.1", port), **more}
    process, answer = own_server.start("prefect", where, log, None, told)
    where.close()
    _kept.append(answer)
    atexit.register(end, [process])
    answer.settimeout(PATIENCE_SECONDS)
    try:
        how = "it ended" if answer.recv(1) != own_server.ANSWERS else None
    except OSError as error:
        how = str(error)
    if how:
        end([process])
        raise RuntimeError(f"Prefect's server must answer, got: {how}; its log {log} may say why")
    return f"http://127.0.0.1:{port}"
