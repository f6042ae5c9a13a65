"""The temporary server that Prefect starts for a command if none is running."""

from __future__ import annotations

import signal


def start_local_server() -> None:
    """Start it, protected from Ctrl-C, unless the settings name a server.

    Ctrl-C reaches all processes of a terminal. The server would end before the states of the trials
    are recorded, and the search would fail instead of ending cleanly.
    """
    from prefect.settings import get_current_settings

    from nettuner.flows.prefect_runs.prefect_private import start_server

    settings = get_current_settings()
    if settings.api.url or not settings.server.ephemeral.enabled:
        return
    # A blocked signal stays blocked in the child, whatever handlers it installs.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        start_server()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
