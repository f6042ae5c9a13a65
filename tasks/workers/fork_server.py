"""Handles of the process that workers are forked from, and of the workers."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import tempfile
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING

from nettuner.tasks.surroundings import surroundings
from nettuner.tasks.workers.base import PrivateBase, standing
from nettuner.tasks.workers.messages import BEGUN, Answer, Setting
from nettuner.tasks.workers.places import Place

if TYPE_CHECKING:
    from nettuner.models.study import Study

# How much is told of what workers printed [bytes].
TOLD = 4000
# How long workers may take to be gone [s].
PATIENCE_SECONDS = 12.0


class LostWorkerError(Exception):
    """A worker was never forked, or is gone with the process it was forked from."""


class Worker:
    """A worker process. Its calls come from one thread at a time.

    Args:
        calls: Connection to the worker.
        control: Connection to the process it was forked from.
        place: Place where it runs.
    """

    def __init__(self, calls: Connection, control: Connection, place: Place) -> None:
        self.place = place
        self._calls = calls
        self._control = control
        self._lock = threading.Lock()
        self._status: int | None = None
        self.begun = False

    def settle(self) -> None:
        """Tell it what to do before its first call."""
        with suppress(OSError):  # `answer` says that it has died
            self._calls.send((self.place.environment, self.place.imports))

    def begin(self, call: bytes) -> None:
        """Send a call."""
        self.begun = False
        with suppress(OSError):  # `answer` says that it has died
            self._calls.send_bytes(call)

    def answer(self, seconds: float) -> Answer | int | None:
        """Wait for what comes of the call.

        Args:
            seconds: Longest time to wait [s].

        Returns:
            The answer; or the exit status of a worker that died, negative for a signal; or None if
            nothing has come yet.

        Raises:
            LostWorkerError: It is gone, and nobody can say why.
        """
        ready = wait([self._calls, self._control], seconds)
        if self._calls in ready:
            try:
                message = self._calls.recv_bytes()
            except (EOFError, OSError):
                return self._end_status()
            if message != BEGUN:
                answer: Answer = pickle.loads(message)
                return answer
            self.begun = True
        elif self._control in ready:
            return self._end_status()
        return None

    def _end_status(self) -> int:
        with self._lock:
            if self._status is None:
                try:
                    self._status = int(self._control.recv())
                except (EOFError, OSError):
                    raise LostWorkerError from None
            return self._status

    def end(self) -> None:
        """Kill it and all that it has started; returns at once."""
        with suppress(OSError):
            self._control.send(None)

    def wait(self) -> None:
        """Wait until it is gone."""
        with suppress(LostWorkerError):
            if wait([self._control], PATIENCE_SECONDS):
                self._end_status()


class ForkServer:
    """The process that the workers of one search are forked from, replaced when it has died.

    Args:
        threads: Number of threads of numeric libraries in a worker.
        study: Study whose learner and data are loaded once, in advance; None for none.
    """

    def __init__(self, threads: int, study: Study | None) -> None:
        self._threads = threads
        self._study = study
        self._bare = False
        self._own: PrivateBase | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        self._socket = self._connected()

    def _connected(self) -> socket.socket:
        """A connection to a new process of this search; nothing is waited for."""
        base = standing() if self._own is None else self._own
        try:
            if base is None:
                raise ConnectionRefusedError
            found = base.knock()
        except OSError:
            found = self._base_of_its_own().knock()
        with suppress(OSError):  # it has died: `fork` starts another
            socket.send_fds(found, [b"s"], [self._log.fileno()])
            given = Setting(surroundings(), self._threads, self._study, self._bare)
            Connection(os.dup(found.fileno())).send(given)
        return found

    def _base_of_its_own(self) -> PrivateBase:
        if self._own is not None:
            self._own.close()
        self._own = PrivateBase()
        return self._own

    def fork(self, place: Place) -> Worker:
        """A new worker at a place; it may still be starting, and calls wait for it."""
        calls, their_calls = socket.socketpair()
        control, their_control = socket.socketpair()
        with their_calls, their_control:
            files = [their_calls.fileno(), their_control.fileno()]
            try:
                socket.send_fds(self._socket, [b"f"], files)
            except OSError:
                self.stop()
                self._bare = True  # the study's own modules may have ended it
                self._socket = self._connected()
                socket.send_fds(self._socket, [b"f"], files)
        worker = Worker(Connection(calls.detach()), Connection(control.detach()), place)
        worker.settle()
        return worker

    def stop(self) -> None:
        """End it, with its workers and all that they have started."""
        process = self._process()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        if process and not self._is_gone(PATIENCE_SECONDS):  # it hangs in an import
            with suppress(ProcessLookupError):
                os.killpg(process, signal.SIGKILL)
        self._socket.close()

    def _process(self) -> int:
        """Its process id; 0 if it has not begun."""
        self._socket.setblocking(False)
        try:
            return int.from_bytes(self._socket.recv(4), "little")
        except OSError:
            return 0

    def _is_gone(self, seconds: float) -> bool:
        """Whether it ends in time, and every process that shares the connection with it."""
        deadline = time.monotonic() + seconds
        with suppress(OSError):
            while (left := deadline - time.monotonic()) > 0:
                self._socket.settimeout(left)
                if not self._socket.recv(1):
                    return True
        return time.monotonic() < deadline

    def close(self) -> None:
        """End it for good."""
        self.stop()
        self._log.close()
        if self._own is not None:
            self._own.close()

    def told(self) -> str:
        """The end of what it and its workers printed."""
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - TOLD))
        text = self._log.read().decode(errors="replace").strip()
        return text or (self._own.told()[-TOLD:] if self._own else "")
