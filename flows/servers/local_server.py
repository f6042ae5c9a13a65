"""The server that Prefect starts for a command where nobody runs one."""

from __future__ import annotations

import signal


def start_local_server() -> None:
    """Start it now, protected from Ctrl-C, unless the settings name a server.

    Ctrl-C reaches all processes of a terminal. Prefect's server would end before it has heard how
    the trials ended, and the search would complain about that instead of ending cleanly.
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
