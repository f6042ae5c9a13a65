"""The servers that stay: a command finds them, or starts them and goes on with its own work.

Imports nothing that is slow, so that they start while a command still imports what it needs.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

from nettuner.tasks import noted, process_note
from nettuner.tasks.home import (
    HomeError,
    home,
    own_flow_runs,
    own_records,
    servers_run,
    tracking_uri,
)
from nettuner.tasks.left_behind import leave_behind
from nettuner.tasks.loopback import without_proxy
from nettuner.tasks.noted import Noted
from nettuner.tasks.sound_home import check_flow_runs

PATIENCE_SECONDS = 120
# Until a supervisor that was started leaves its note.
SECONDS_TO_APPEAR = 30
GRACE_SECONDS = 20
# One for each search of this process that uses the servers.
_users: list[None] = []
_guard = threading.Lock()


def begin() -> None:
    """Start the servers of the home, or join those that run; does not wait for them.

    Raises:
        HomeError: The home cannot be used, or a variable makes no sense.
    """
    with _guard:
        if _users:
            _users.append(None)
        elif _wanted():
            _begin()


def _begin() -> None:
    with door():
        found = noted.running(home())
        if found and (found.version, found.place) != origin():
            others = noted.attached(home())
            if others:
                print(
                    f"nettuner {found.version} of {found.place} has the servers of this home "
                    f"({used_by(others)}); this command starts a server of its own",
                    file=sys.stderr,
                )
                return
            _dismiss(found)
            found = None
        theirs = os.environ.get("MLFLOW_TRACKING_URI") or own_records()
        noted.attach(home(), theirs == own_records())
        _users.append(None)
        if found is None:
            _supervise()


def wait() -> None:
    """Wait until Prefect answers, and make this process use it.

    A process that has not joined starts a temporary server.

    Raises:
        HomeError: The home cannot be used, or the database of flow runs is damaged.
        RuntimeError: Prefect's server does not answer.
    """
    from prefect.settings import get_current_settings

    from nettuner.flows.prefect_runs.prefect_private import use_server
    from nettuner.flows.servers.local_server import start_local_server

    if _users and os.environ.get("PREFECT_API_URL"):  # another search of this process did
        return
    settings = get_current_settings()
    named = settings.api.url or not settings.server.ephemeral.enabled
    if not _users or named:  # a profile of Prefect may name a server, too
        leave()
        start_local_server()
        return
    check_flow_runs()
    without_proxy()
    address = _answering().prefect.address
    os.environ["PREFECT_API_URL"] = f"{address}/api"
    use_server(address)


@contextmanager
def used() -> Iterator[None]:
    """The servers are used while the block runs, by a process that goes on after it.

    Raises:
        HomeError: The home cannot be used, or a variable makes no sense.
    """
    begin()
    try:
        yield
    finally:
        leave()


def leave() -> None:
    """This process does not use the servers any longer, as far as it did."""
    with _guard:
        if not _users:
            return
        _users.pop()
        if _users:
            return
        noted.detach(home())
        if os.environ.pop("PREFECT_API_URL", None):
            from nettuner.flows.prefect_runs.prefect_private import read_settings_again

            read_settings_again()


def joined() -> bool:
    """Whether this process uses the servers that stay."""
    return bool(_users)


def serving() -> Noted | None:
    """The servers of the home, started if none run, once both answer; None where none stay.

    Raises:
        HomeError: The home cannot be used, the database of flow runs is damaged, or a variable
            makes no sense.
        RuntimeError: One of them does not answer.
    """
    if tracking_uri() != own_records():
        return None
    begin()
    if not _users:
        return None
    check_flow_runs()
    print("looking for the pages …", file=sys.stderr)
    _call(_answering().mlflow.address)
    return _answering(mlflow=True)


def _call(address: str) -> None:
    """Ask for pages: they are not started before somebody does, or has time."""
    where = urlsplit(address)
    with suppress(OSError):
        socket.create_connection((where.hostname or "", where.port or 0), 1).close()


def end() -> Noted | None:
    """End the servers of the home; returns those that ran.

    Raises:
        ValueError: A command uses them.
    """
    with door():
        found = noted.running(home())
        if found is None:
            return None
        others = [one for one in noted.attached(home()) if one.process != os.getpid()]
        if others:
            raise ValueError(
                "the servers of a home end when no command uses them, got one that does "
                f"({used_by(others)}); wait until it has ended, or end it"
            )
        _dismiss(found)
    deadline = time.monotonic() + GRACE_SECONDS
    while process_note.lives(found.process, found.created):
        if time.monotonic() > deadline:  # its servers end with it
            _signal(found.process, signal.SIGKILL)
        time.sleep(0.05)
    return found


def used_by(commands: list[noted.Attached]) -> str:
    """The commands that use the servers, for people."""
    first = f"process {commands[0].process}: {commands[0].command}"
    return first + (f", and {len(commands) - 1} more" if len(commands) > 1 else "")


def origin() -> tuple[str, str]:
    """Which nettuner this is: its version, and the folder of its code."""
    return version("nettuner"), str(Path(__file__).resolve().parents[2])


def idle_minutes() -> float:
    """Minutes without any use after which the servers end: NETTUNER_IDLE_MINUTES, or 30.

    Raises:
        HomeError: It is no such number.
    """
    given = os.environ.get("NETTUNER_IDLE_MINUTES") or "30"
    try:
        found = float(given)
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        raise HomeError(
            f"NETTUNER_IDLE_MINUTES must be a number of minutes above 0, got {given!r}; correct "
            "it, or leave it out for 30"
        )
    return found


def stay() -> bool:
    """Whether what a command starts may stay for later ones: NETTUNER_SERVERS is not none.

    Raises:
        HomeError: It is neither stay nor none.
    """
    given = os.environ.get("NETTUNER_SERVERS") or "stay"
    if given not in ("stay", "none"):
        raise HomeError(
            f"NETTUNER_SERVERS must be stay or none, got {given!r}; leave it out for servers that "
            "stay"
        )
    return given == "stay"


def resident_log() -> Path:
    """Path of the log of the servers that stay."""
    return home() / "resident.log"


@contextmanager
def door() -> Iterator[None]:
    """One process at a time looks who is there, joins, starts or ends the servers.

    Raises:
        HomeError: The home cannot be written to, or its file system has no locks.
    """
    from filelock import FileLock

    where = home()
    try:
        with FileLock(noted.folder_of(where) / "door.lock", timeout=GRACE_SECONDS):
            yield
    except (OSError, NotImplementedError) as error:
        reason = str(getattr(error, "strerror", None) or error).lower()
        raise HomeError(
            f"NETTUNER_HOME must be a folder that can be written to, with locks, got {where}: "
            f"{reason}; set it to another folder, or set NETTUNER_SERVERS=none"
        ) from None


def _wanted() -> bool:
    """Whether this command uses servers that stay, as far as its environment says."""
    idle_minutes()
    named = os.environ.get("PREFECT_API_URL") or servers_run()
    return stay() and not named and own_flow_runs()


def _supervise() -> None:
    leave_behind("nettuner.flows.servers.supervisor", log=resident_log())


def _answering(mlflow: bool = False) -> Noted:
    """The servers, once Prefect's answers, and where it is asked for MLflow's too."""
    deadline, appear = time.monotonic() + PATIENCE_SECONDS, time.monotonic() + SECONDS_TO_APPEAR
    seen = False
    while time.monotonic() < deadline:
        found = noted.running(home())
        if found and found.prefect.answers and (found.mlflow.answers or not mlflow):
            return found
        if found is None and (seen or time.monotonic() > appear):
            break
        seen = found is not None
        time.sleep(0.03)
    leave()
    how = "no answer in time" if found else "they ended"
    raise RuntimeError(f"the servers must answer, got: {how}; their log {resident_log()} says why")


def _dismiss(found: Noted) -> None:
    """End a set; whoever comes next does not take it for one that stays."""
    noted.remove_note(home())
    _signal(found.process, signal.SIGTERM)


def _signal(process: int, how: int) -> None:
    try:
        os.kill(process, how)
    except ProcessLookupError:
        return
