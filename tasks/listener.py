"""A process with a single thread that forks another one for each that knocks at its door."""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from importlib import import_module

from nettuner.tasks.stand_back import standing_back
from nettuner.tasks.uncollected import uncollected

# How often a resident looks whether its door is still there [s].
LOOK_SECONDS = 30.0
# Time without anybody after which it imports what is needed only late [s].
QUIET_SECONDS = 0.2


class Listener:
    """Answers the door.

    Args:
        door: Listening socket.
        idle: Time without anybody after which it ends [s]; 0 to end with its standard input.
        serve: Function that serves who knocked, in a process of its own.
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
        gc.freeze()  # a collection in a child would copy all that was imported
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
                with standing_back(), uncollected():
                    import_module(self._later.pop(0))
                gc.freeze()

    def _patience(self) -> float | None:
        """How long to wait for a guest [s]."""
        if not self._idle:
            return None
        return min(self._idle, QUIET_SECONDS + 0.1 if self._later else LOOK_SECONDS)

    def _open(self) -> None:
        guest, _ = self._door.accept()
        try:
            child = os.fork()
        except OSError:  # no memory, or too many processes: the guest says so
            traceback.print_exc()
            child = -1
        if child:
            guest.close()
            return
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            self._door.close()
            os.close(self._woken)
            os.close(self._wake)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            self._serve(guest)
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
