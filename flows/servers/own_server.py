"""One server of a home: on a socket that it is given, and no longer than who started it.

It is told by its standard input, the end of a socket pair: a byte that it sends says that it
answers, and the end of the input says that nobody is there any more.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nettuner.tasks.private import OTHERS
from nettuner.tasks.uncollected import uncollected

if TYPE_CHECKING:
    from starlette.types import ASGIApp

GRACE_SECONDS = 3
ANSWERS = b"a"
# A request more than this often changes nothing about when a server was used last.
SECONDS_BETWEEN_MARKS = 1.0
OF_HEALTH = ("/health", "/api/health")


def start(
    name: str, where: socket.socket, log: Path, used: Path | None, environment: Mapping[str, str]
) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start a server as a process in a session of its own, out of reach of Ctrl-C.

    Args:
        name: Name of the server, prefect or mlflow.
        where: Socket that it listens to.
        log: Path of the file for its output.
        used: Path of the file that is touched at every request; None for none.
        environment: Additional environment variables.

    Returns:
        Its process, and the socket on which it says that it answers. It ends when that is closed.
    """
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-P", "-m", "nettuner.flows.servers.own_server", name]
    with log.open("ab") as file, theirs:
        process = subprocess.Popen(
            [*command, str(where.fileno()), *([str(used)] if used else [])],
            stdin=theirs.fileno(),
            stdout=file,
            stderr=file,
            env={**os.environ, **environment},
            pass_fds=[where.fileno()],
            start_new_session=True,
            umask=OTHERS,
        )
    return process, ours


def main() -> None:
    """Serve until who started this is gone."""
    threading.Thread(target=_end_with_the_input, daemon=True).start()
    name, handle, *used = sys.argv[1:]
    # Slow, so that a server whose starter is gone already does not get there.
    with uncollected():
        import uvicorn

        app = _app(name)
    gc.freeze()  # what was imported stays
    if used:
        app = marking(app, Path(used[0]))

    class Telling(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            os.write(0, ANSWERS)

    config = uvicorn.Config(
        app, log_level="warning", lifespan="on", timeout_graceful_shutdown=GRACE_SECONDS
    )
    Telling(config).run(sockets=[socket.socket(fileno=int(handle))])


def _app(name: str) -> ASGIApp:
    from nettuner.flows.servers import own_pages

    return own_pages.app() if name == "prefect" else own_pages.mlflow_app()


def _end_with_the_input() -> None:
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(2 * GRACE_SECONDS)
    os._exit(1)


def marking(inner: ASGIApp, file: Path) -> ASGIApp:
    """An application that touches a file when it is asked for something else than its health."""
    from starlette.types import Receive, Scope, Send

    last = 0.0

    async def marked(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal last
        now = time.monotonic()
        asked = scope["type"] != "lifespan" and scope["path"] not in OF_HEALTH
        if asked and now - last > SECONDS_BETWEEN_MARKS:
            last = now
            file.touch()
        await inner(scope, receive, send)

    return marked


if __name__ == "__main__":
    main()
