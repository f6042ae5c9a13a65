"""The process that all others are forked from: it has imported what every trial needs, no more.

It stands by for one command, or, as a resident, for all commands of a home. For each search it
forks a process of its own, so that nothing of one search meets another. It has a single thread and
never touches CUDA, so that it can be forked.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from importlib import import_module

# How often a resident looks whether its door is still there [s].
LOOK_SECONDS = 30.0
# Time without any search after which it imports what only the end of one needs [s].
QUIET_SECONDS = 3.0


def main() -> None:
    """Import, then fork a process for every search that knocks.

    Arguments: file descriptor of the door, a listening socket; the time [s] after which a resident
    without any search ends, or 0 to end with its standard input; and names of modules that a
    resident imports when nobody waits for it.
    """
    door, idle, later = socket.socket(fileno=int(sys.argv[1])), float(sys.argv[2]), sys.argv[3:]
    from nettuner.models import preload  # noqa: F401 - children have it from here
    from nettuner.tasks.workers.forker import serve_search

    Listener(door, idle, serve_search, later).run()


class Listener:
    """Answers the door.

    Args:
        door: Listening socket.
        idle: Time without any search after which it ends [s]; 0 to end with its standard input.
        serve: Function that serves a search, in a process of its own.
        later: Names of modules to import when nobody waits for it.
    """

    def __init__(
        self,
        door: socket.socket,
        idle: float,
        serve: Callable[[socket.socket], None],
        later: list[str],
    ) -> None:
        self._door = door
        self._path = door.getsockname()
        self._idle = idle
        self._serve = serve
        self._later = later
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)

    def run(self) -> None:
        """Serve until nobody needs it any more."""
        signal.set_wakeup_fd(self._wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # or nothing is written to the pipe
        streams = [self._door.fileno(), self._woken, *([] if self._idle else [0])]
        used = time.monotonic()
        while True:
            ready, _, _ = select.select(streams, [], [], self._patience())
            if self._woken in ready:
                os.read(self._woken, 4096)
            if _have_children():
                used = time.monotonic()
            if self._door.fileno() in ready:
                used = time.monotonic()
                self._open()
            elif not self._idle:
                if 0 in ready:
                    return
            elif time.monotonic() - used > self._idle or not os.path.exists(self._path):
                return
            elif self._later and time.monotonic() - used > QUIET_SECONDS:
                import_module(self._later.pop(0))

    def _patience(self) -> float | None:
        """How long to wait for a search [s]."""
        if not self._idle:
            return None
        return min(self._idle, QUIET_SECONDS + 0.1 if self._later else LOOK_SECONDS)

    def _open(self) -> None:
        search, _ = self._door.accept()
        try:
            child = os.fork()
        except OSError:  # no memory, or too many processes: the search says so
            traceback.print_exc()
            child = -1
        if child:
            search.close()
            return
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            self._door.close()
            os.close(self._woken)
            os.close(self._wake)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            self._serve(search)
        except BaseException:  # it may not return to the code of the process it was forked from
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(0)


def _have_children() -> bool:
    """Whether any child lives; those that have ended are reaped."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


if __name__ == "__main__":
    main()
