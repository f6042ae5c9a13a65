"""The console script: a command runs in a fork of the home's warm process, or else here.

Imports nothing but parts of the standard library that take no time: `warm_main` has the rest.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
from contextlib import suppress
from typing import Any, NoReturn

# How long the warm process may take to answer [s].
PATIENCE_SECONDS = 5.0
# What it says first, what it answers, and what it is told then.
HELLO, YES, GO = b"h", b"y", b"g"
# How many bytes tell the length of what is asked, and the status in which the command ended.
LENGTH, STATUS = 4, 2
STREAMS = (0, 1, 2)
SHOW_CURSOR = "\x1b[?25h"
# What is passed on to the command.
PASSED_ON = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGCONT", "SIGWINCH")


def main() -> None:
    """Run the command `nettuner`."""
    served = _knock()
    if served is not None:
        _stand_in(served)
    environment = dict(os.environ)  # it changes meanwhile
    from nettuner.tasks.uncollected import uncollected

    with uncollected():
        from nettuner.flows.cli import main as run
        from nettuner.flows.servers import resident

    try:
        run()
    finally:
        if resident.joined():
            from nettuner.flows.servers import warm

            warm.leave_one(environment)


def _knock() -> socket.socket | None:
    """A connection to a process that is about to run this command; None if there is none."""
    if os.environ.get("NETTUNER_SERVERS") == "none" or not hasattr(socket, "AF_UNIX"):
        return None
    door = _door()
    if door is None:
        return None
    found = socket.socket(socket.AF_UNIX)
    found.settimeout(PATIENCE_SECONDS)
    try:
        found.connect(door)
        # Streams that nobody received would stay open, and who reads them would wait for ever.
        if found.recv(1) == HELLO:
            _ask(found)
        if found.recv(1) == YES:
            found.sendall(GO)
            found.settimeout(None)
            return found
    except TimeoutError:  # it hangs: it is not asked again, and the next search starts another
        _take_away(door)
    except OSError:
        pass
    found.close()
    return None


def _door() -> str | None:
    """Where the warm process of the home listens, as its note says, if that is our own."""
    home = os.path.expanduser(os.environ.get("NETTUNER_HOME") or "~/.nettuner")
    try:
        with open(os.path.join(home, "warm.json"), encoding="utf-8") as note:
            facts = os.fstat(note.fileno())
            if facts.st_uid != os.geteuid() or facts.st_mode & 0o022:
                return None
            return str(json.load(note)["door"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _take_away(door: str) -> None:
    with suppress(OSError):
        os.unlink(door)


def _ask(warm: socket.socket) -> None:
    """Send how this process runs, and its streams."""
    from nettuner.tasks.surroundings import confinement, surroundings

    main, streams = sys.modules["__main__"], (sys.stdin, sys.stdout, sys.stderr)
    asked = {
        "arguments": sys.argv,
        "interpreter": interpreter(),
        "confinement": confinement(),
        "surroundings": surroundings(),
        "ignored": [number for number in _passed_on() if _ignores(number)],
        "streams": [number for number, stream in enumerate(streams) if stream is not None],
        "main": [main.__package__, getattr(main, "__file__", None)],
    }
    told = json.dumps(asked).encode()
    socket.send_fds(warm, [len(told).to_bytes(LENGTH, "little")], asked["streams"])
    warm.sendall(told)


def interpreter() -> list[Any]:
    """Which Python this is, how it was called, which code of ours it runs, and for whom."""
    flags = ("dev_mode", "isolated", "no_site", "no_user_site", "optimize", "utf8_mode")
    return [
        [sys.executable, sys.prefix, sys.version, os.path.realpath(__file__)],
        [getattr(sys.flags, name) for name in flags],
        sorted(sys._xoptions.items()),
        sys.warnoptions,
        [getattr(sys.stdout, name, None) for name in ("encoding", "errors", "write_through")],
        [os.getuid(), os.geteuid(), os.getgid(), os.getegid(), sorted(os.getgroups())],
    ]


def _passed_on() -> list[int]:
    return [int(getattr(signal, name)) for name in PASSED_ON]


def _ignores(number: int) -> bool:
    return signal.getsignal(number) == signal.SIG_IGN


def _stand_in(command: socket.socket) -> NoReturn:
    """Pass signals on to a command that runs elsewhere, and end as it does."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in (*_passed_on(), signal.SIGTSTP):
        if not _ignores(number):
            signal.signal(number, _heard)
    while True:
        ready, _, _ = select.select([command.fileno(), woken], [], [])
        if woken in ready:
            for number in os.read(woken, 64):
                _pass_on(command, number)
        if command.fileno() in ready:
            _end(command)


def _heard(*_: object) -> None:
    """The number is written to a pipe."""


def _pass_on(command: socket.socket, number: int) -> None:
    stopped = number == signal.SIGTSTP
    try:
        command.sendall(bytes([signal.SIGSTOP if stopped else number]))
    except OSError:  # it has ended
        return
    if stopped:
        os.kill(os.getpid(), signal.SIGSTOP)


def _end(command: socket.socket) -> NoReturn:
    """End as the command has ended."""
    told = command.recv(STATUS)
    status = int.from_bytes(told, "little", signed=True) if told else -signal.SIGKILL
    if status < 0 and sys.stderr is not None and sys.stderr.isatty():
        print(SHOW_CURSOR, end="", file=sys.stderr, flush=True)  # a table had hidden it
    if not told:
        print("error: the process that ran this command was killed; call it again", file=sys.stderr)
        os._exit(1)
    if status < 0:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the core is that of the command
        with suppress(OSError):  # that of SIGKILL is not set
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
