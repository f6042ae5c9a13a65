"""The process that commands are forked from: it has imported what they need, and done nothing.

It has a single thread and no connection, so that it can be forked. For each command it forks a
keeper, which forks the command: it passes signals on, tells how the command ended, and ends it when
the one who called it is gone.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn, TextIO

from nettuner.flows.entry import GO, HELLO, LENGTH, PASSED_ON, STATUS, STREAMS, YES, interpreter
from nettuner.flows.prefect_runs.prefect_private import forget_logging
from nettuner.flows.servers import warm
from nettuner.flows.servers.logging_setup import silence_libraries
from nettuner.tasks import preloaded, process_note
from nettuner.tasks.listener import Listener
from nettuner.tasks.stand_back import standing_back
from nettuner.tasks.surroundings import confinement, surroundings, take_over
from nettuner.tasks.uncollected import uncollected
from nettuner.tasks.workers.process_tree import end_with_parent, threads

# How long a caller may take to say what it wants [s].
PATIENCE_SECONDS = 5.0
# How long a command may take to end cleanly when its caller is gone [s].
GRACE_SECONDS = 60.0


def main() -> None:
    """Import, then fork a process for every command.

    Arguments: file descriptor of the door, a socket that is bound; the time [s] without any command
    after which it ends; and names of modules that it imports when nobody waits for it.
    """
    door, idle, later = socket.socket(fileno=int(sys.argv[1])), float(sys.argv[2]), sys.argv[3:]
    silence_libraries()
    with standing_back(), uncollected():
        from nettuner.flows import warm_imports  # noqa: F401 - commands have it from here

    if threads() > 1:
        sys.exit("what is imported starts threads: no command can be forked")
    gc.collect()
    door.listen(preloaded.WAITING)
    Listener(door, idle, serve, later).run()


def serve(caller: socket.socket) -> None:
    """Run the command of a caller, and tell how it ended.

    Args:
        caller: Socket of the caller, which first tells how it runs.
    """
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    caller.settimeout(PATIENCE_SECONDS)
    try:
        caller.sendall(HELLO)
        asked, files = _heard(caller)
        take_over(asked["surroundings"])
        if not _fits(asked):
            return
        caller.sendall(YES)
        if caller.recv(1) != GO:
            return
    except OSError:  # it has gone, or hangs
        return
    caller.settimeout(None)
    keeper = os.getpid()
    command = os.fork()
    if not command:
        caller.close()
        _run(asked, files, keeper)
    for file in files:
        os.close(file)
    Keeper(caller, command).keep()


def _heard(caller: socket.socket) -> tuple[dict[str, Any], list[int]]:
    length, files, _, _ = socket.recv_fds(caller, LENGTH, len(STREAMS))
    with caller.makefile("rb") as stream:
        return json.loads(stream.read(int.from_bytes(length, "little"))), files


def _fits(asked: Mapping[str, Any]) -> bool:
    """Whether this process, which runs as its caller does now, is what that one would become."""
    found = asked["surroundings"]
    home = Path(found["environment"].get("NETTUNER_HOME") or "~/.nettuner").expanduser()
    known = process_note.read(preloaded.note_of(warm.KIND, home)).get("facts")
    return bool(
        asked["interpreter"] == json.loads(json.dumps(interpreter()))
        and asked["confinement"] == confinement()
        and found == surroundings()
        and known == preloaded.facts(warm.KIND, os.environ)
    )


class Keeper:
    """Passes signals on to a command, and tells its caller how it ended.

    Args:
        caller: Socket of the caller, which sends the numbers of signals.
        command: Process id of the command, a child of this process.
    """

    def __init__(self, caller: socket.socket, command: int) -> None:
        self._caller = caller
        self._command = command
        self._ended, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # or nothing is written to the pipe

    def keep(self) -> None:
        """Go on until the command has ended."""
        status = self._status()
        while status is None:
            ready, _, _ = select.select([self._caller.fileno(), self._ended], [], [])
            if self._caller.fileno() in ready and not self._pass_on():
                self._end()
                return
            if self._ended in ready:
                os.read(self._ended, 64)
            status = self._status()
        with suppress(OSError):
            self._caller.sendall(status.to_bytes(STATUS, "little", signed=True))

    def _pass_on(self) -> bool:
        """Pass signals on; returns whether the caller is still there."""
        try:
            numbers = self._caller.recv(64)
        except OSError:
            numbers = b""
        for number in numbers:
            os.kill(self._command, number)  # it was not waited for yet
        return bool(numbers)

    def _status(self) -> int | None:
        """The exit status of the command, negative for a signal; None while it runs."""
        process, status = os.waitpid(self._command, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if process else None

    def _end(self) -> None:
        """End the command as a polite kill does, and at last as a rude one."""
        for number in (signal.SIGTERM, signal.SIGCONT):  # the latter if it was stopped
            os.kill(self._command, number)
        deadline = time.monotonic() + GRACE_SECONDS
        while self._status() is None:
            if time.monotonic() > deadline:
                os.kill(self._command, signal.SIGKILL)
            select.select([self._ended], [], [], 1.0)


def _run(asked: Mapping[str, Any], files: list[int], keeper: int) -> NoReturn:
    """Be the command."""
    status = 1
    try:
        _become(asked, files, keeper)
        from nettuner.flows.cli import main as run

        status = _status_of(run)
    except BaseException:
        traceback.print_exc()
    finally:
        _leave(status)


def _become(asked: Mapping[str, Any], files: list[int], keeper: int) -> None:
    """Take the place of the caller."""
    os.setsid()  # a signal that it sends to its own group stays there
    end_with_parent(keeper)
    for name in PASSED_ON:
        number = int(getattr(signal, name))
        ignored = number in asked["ignored"]
        signal.signal(number, signal.SIG_IGN if ignored else signal.SIG_DFL)
    if signal.SIGINT not in asked["ignored"]:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    _take_streams(asked["streams"], files)
    sys.argv[:] = asked["arguments"]
    sys.modules["__main__"] = _main_module(*asked["main"])
    time.tzset()
    forget_logging()


def _take_streams(numbers: list[int], files: list[int]) -> None:
    """Read and write where the caller would."""
    for number in STREAMS:
        os.close(number)
    for number, file in zip(numbers, files, strict=True):
        os.dup2(file, number)
        os.close(file)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = _opened(number) if number in numbers else None
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _opened(stream: int) -> TextIO:
    """A stream as Python opens it when it starts."""
    before: TextIOWrapper = (sys.stdin, sys.stdout, sys.stderr)[stream]  # type: ignore[assignment]
    return open(
        stream,
        "w" if stream else "r",
        buffering=1 if os.isatty(stream) or stream == 2 or before.write_through else -1,
        encoding=before.encoding,
        errors=before.errors,
        closefd=False,
    )


def _main_module(package: str | None, file: str | None) -> ModuleType:
    """What tells how the caller was called: its name in messages, for one."""
    found = ModuleType("__main__")
    found.__package__ = package
    if file is not None:
        found.__file__ = file
    return found


def _status_of(run: Any) -> int:
    """Status with which Python ends after a call."""
    try:
        run()
    except SystemExit as leave:
        if leave.code is None or isinstance(leave.code, int):
            return (leave.code or 0) & 0xFF
        print(leave.code, file=sys.stderr)
        return 1
    return 0


def _leave(status: int) -> NoReturn:
    """End as Python does, without taking apart all that was imported."""
    with suppress(Exception):
        threading._shutdown()  # type: ignore[attr-defined]
    with suppress(Exception):
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
