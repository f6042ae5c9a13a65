"""The temporary server that Prefect starts for a command if none is running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nettuner.flows.servers.processes import log_file
from nettuner.tasks.sound_home import check_flow_runs


def start_local_server() -> None:
    """Start it, protected from Ctrl-C, unless the settings name a server.

    Ctrl-C reaches all processes of a terminal. The server would end before the states of the trials
    are recorded, and the search would fail instead of ending cleanly.

    What it has to say goes to a file, for it concerns nobody who waits for a search.

    Raises:
        HomeError: Its database is damaged.
        RuntimeError: It does not answer.
    """
    from prefect.settings import get_current_settings

    from nettuner.flows.prefect_runs.prefect_private import start_server

    settings = get_current_settings()
    if settings.api.url or not settings.server.ephemeral.enabled:
        return
    check_flow_runs()
    log = log_file("prefect")
    # A blocked signal stays blocked in the child, whatever handlers it installs.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with _output_to(log):
            _end_with_this_process(start_server())
    except RuntimeError as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise RuntimeError(
            f"Prefect's server must answer, got: {reason}; its log {log} may say why"
        ) from None
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


# Waits for the end of its input, which comes when the other end of the pipe is gone.
WATCH = "import os, sys; os.read(0, 1); os.kill(int(sys.argv[1]), 15)"


def _end_with_this_process(server: int) -> None:
    """End the server also when this process is killed and cannot do so itself.

    Args:
        server: Process id of the server.
    """
    theirs, _ = os.pipe()  # the other end stays open as long as this process lives
    subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", WATCH, str(server)],
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(theirs)


@contextmanager
def _output_to(file: Path) -> Iterator[None]:
    """Both outputs of the processes that are started meanwhile go to a file."""
    kept = [(stream, os.dup(stream)) for stream in (1, 2)]
    log = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        for stream, _ in kept:
            os.dup2(log, stream)
        yield
    finally:
        os.close(log)
        for stream, copy in kept:
            os.dup2(copy, stream)
            os.close(copy)
