"""The process that keeps Prefect's and MLflow's server for a home, until nobody uses them.

It alone holds the lock of the set, so a home has one; the ports are its own, so that a server that
dies is started again where it was, and who asks meanwhile only waits.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from filelock import FileLock, Timeout

from nettuner.flows.servers import own_server
from nettuner.flows.servers.processes import (
    PASSWORD_OF_PREFECT,
    WITHOUT_JOBS,
    end,
    prefect_environment,
)
from nettuner.flows.servers.resident import door, idle_minutes, origin, resident_log
from nettuner.tasks import noted, process_note
from nettuner.tasks.home import (
    MLFLOW_PORT,
    PREFECT_PORT,
    configure_prefect,
    home,
    origins,
    own_records,
)
from nettuner.tasks.noted import Noted, Served

HOST = "127.0.0.1"
GLANCE_SECONDS = 1.0
# How long a set that ends may take before the next one gives up.
PATIENCE_SECONDS = 60
WAITING = 128
# How long MLflow's server is left to others while a command runs [s].
LATER_SECONDS = 60.0
# A server that dies so often is ill.
MOST_DEATHS = 3
# What deployments need, which are the business of `nettuner up`; and what no page of ours shows.
UNNEEDED = {
    "PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_FOREMAN_ENABLED": "false",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
}


@dataclass
class Server:
    """A server, and how it is.

    Args:
        name: Its name, prefect or mlflow.
        where: Socket that it listens to.
        process: Its process; None before it was started and after it died.
        told: Socket on which it says that it answers.
        answers: Whether it has said so.
        deaths: How often it died.
        wanted: Time since when somebody will want it, of the monotonic clock; None for nobody.
    """

    name: str
    where: socket.socket
    process: subprocess.Popen[bytes] | None = None
    told: socket.socket | None = None
    answers: bool = False
    deaths: int = 0
    wanted: float | None = None

    @property
    def port(self) -> int:
        """Its port."""
        return int(self.where.getsockname()[1])

    def noted(self) -> Served:
        """What the note says of it."""
        process = self.process.pid if self.process else None
        return Served(f"http://{HOST}:{self.port}", process, self.answers)


def main() -> None:
    """Keep the servers; who started this does not wait for it."""
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.pop(PASSWORD_OF_PREFECT, None)  # of a server that somebody else starts
    with _only_set():
        configure_prefect()
        _keep([_bound("prefect", PREFECT_PORT), _bound("mlflow", MLFLOW_PORT)])


def _leave(*_: object) -> NoReturn:
    sys.exit(0)


@contextmanager
def _only_set() -> Iterator[None]:
    """Hold the lock of the set; leave if another one is there to stay."""
    lock = FileLock(noted.folder_of(home()) / "set.lock")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            lock.acquire(timeout=0)
            break
        except Timeout:
            if noted.running(home()) or time.monotonic() > deadline:
                sys.exit(0)
            time.sleep(0.05)
    with lock:
        yield


def _bound(name: str, usual: int) -> Server:
    """A server with a port of its own, the usual one where it is free."""
    for port in (usual, 0):
        where = socket.socket()
        where.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            where.bind((HOST, port))
            break
        except OSError:
            where.close()
            if port == 0:
                raise
    return Server(name, where)


def _keep(servers: list[Server]) -> None:
    """Start the servers that somebody needs, and start them again, until nobody does."""
    prefect, mlflow = servers
    since, minutes = time.time(), idle_minutes()
    where = home()
    used = noted.folder_of(where) / "used"
    used.touch()
    version, place = origin()
    created = process_note.began(os.getpid()) or 0.0

    def note() -> None:
        told = (os.getpid(), created, version, place, since, minutes)
        noted.leave_note(where, Noted(*told, prefect.noted(), mlflow.noted()))

    try:
        _start(prefect, used)
        note()
        while _is_ours(where):  # else another set was started, or the home was removed
            commands = noted.attached(where)
            if commands:
                used.touch()
            if mlflow.wanted is None and any(command.mlflow for command in commands):
                mlflow.wanted = time.monotonic()
                mlflow.where.listen(WAITING)  # who asks from now on waits
            starting = mlflow.process is None and _is_due(mlflow, bool(commands))
            if starting:
                _start(mlflow, used)
            changed = [_changed(server, used) for server in servers]
            if starting or any(changed):
                note()
            if time.time() - used.stat().st_mtime > 60 * minutes and _nobody_comes():
                return
            _listen(servers)
    finally:
        if _is_ours(where):
            noted.remove_note(where)
        end([server.process for server in servers if server.process])


def _is_due(mlflow: Server, used: bool) -> bool:
    """Whether the pages that somebody will want are started now.

    Not beside the search that they are for, which would wait for it, unless they are asked for: the
    socket listens, so the first request waits.
    """
    if mlflow.wanted is None or mlflow.deaths >= MOST_DEATHS:
        return False
    called = bool(select.select([mlflow.where], [], [], 0)[0])
    return called or not used or time.monotonic() - mlflow.wanted > LATER_SECONDS


def _is_ours(where: Path) -> bool:
    """Whether the note is of the servers that this process keeps."""
    found = noted.running(where)
    return found is not None and found.process == os.getpid()


def _start(server: Server, used: Path) -> None:
    server.where.listen(WAITING)
    server.answers = False
    environment = _environment(server)
    server.process, server.told = own_server.start(
        server.name, server.where, resident_log(), used, environment
    )


def _environment(server: Server) -> Mapping[str, str]:
    if server.name == "prefect":
        return {**UNNEEDED, **prefect_environment(HOST, server.port)}
    return {
        **WITHOUT_JOBS,
        "MLFLOW_BACKEND_STORE_URI": own_records(),
        "MLFLOW_ARTIFACTS_DESTINATION": str(home() / "artifacts"),
        "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": origins(HOST, server.port),
    }


def _listen(servers: list[Server]) -> None:
    """Wait until a server has something to say, or is called, or it is time to look round."""
    quiet = [
        server.where
        for server in servers
        if server.wanted and not server.process and server.deaths < MOST_DEATHS
    ]
    told = [server.told for server in servers if server.told]
    select.select([*told, *quiet], [], [], GLANCE_SECONDS)


def _changed(server: Server, used: Path) -> bool:
    """Hear what a server says: that it answers, or, by its silence, that it died.

    Raises:
        SystemExit: It died too often to go on without it.
    """
    if server.told is None or not select.select([server.told], [], [], 0)[0]:
        return False
    if _said(server.told) == own_server.ANSWERS:
        server.answers = True
        return True
    server.told.close()
    assert server.process is not None
    end([server.process])
    never, server.answers = not server.answers, False
    server.process, server.told = None, None
    server.deaths += 1
    if server.name == "prefect" and (never or server.deaths >= MOST_DEATHS):
        sys.exit(1)
    if not never and server.deaths < MOST_DEATHS:
        _start(server, used)
    return True


def _said(told: socket.socket) -> bytes:
    try:
        return told.recv(1)
    except ConnectionError:
        return b""


def _nobody_comes() -> bool:
    """Whether nobody uses the servers; then the note is gone before the next one may look."""
    with door():
        if noted.attached(home()):
            return False
        noted.remove_note(home())
        return True


if __name__ == "__main__":
    main()
