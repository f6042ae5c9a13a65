"""Handles of the process that workers are forked from, and of the workers."""

from __future__ import annotations

import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING

from nettuner.tasks.workers.messages import BARE, BEGUN, SEARCH_PATH, THREADS, Answer

if TYPE_CHECKING:
    from nettuner.models.study import Study

# The module that is run.
MODULE = "nettuner.tasks.workers.fork_main"
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
    """

    def __init__(self, calls: Connection, control: Connection) -> None:
        self._calls = calls
        self._control = control
        self._lock = threading.Lock()
        self._status: int | None = None
        self.begun = False

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
    """The process that workers are forked from, started anew when it has died.

    Args:
        threads: Number of threads of numeric libraries in a worker.
        study: Study whose learner and data are loaded once, in advance; None for none.
    """

    def __init__(self, threads: int, study: Study | None) -> None:
        self._threads = threads
        self._study = study
        self._bare = False
        self._forked = False
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        self._start()

    def _start(self) -> None:
        """Start the process."""
        self._socket, theirs = socket.socketpair()
        command = [sys.executable, "-P", "-m", MODULE]
        numeric = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(self._threads))
        self._process = subprocess.Popen(
            [*command, str(theirs.fileno()), *([BARE] if self._bare else [])],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env={
                **os.environ,
                **numeric,
                # Else they start threads when they are imported.
                "OPENBLAS_NUM_THREADS": "1",
                "JE_ARROW_MALLOC_CONF": "background_thread:false",
                THREADS: str(self._threads),
                SEARCH_PATH: json.dumps(sys.path),
            },
            start_new_session=True,  # Ctrl-C in a terminal is handled by the search
        )
        theirs.close()
        if not self._bare:
            with suppress(OSError):  # it has died: `fork` starts another
                Connection(os.dup(self._socket.fileno())).send(self._study)

    def fork(self) -> Worker:
        """A new worker; it may still be starting, and calls wait for it."""
        calls, their_calls = socket.socketpair()
        control, their_control = socket.socketpair()
        with their_calls, their_control:
            files = [their_calls.fileno(), their_control.fileno()]
            try:
                socket.send_fds(self._socket, [b"f"], files)
            except OSError:
                self._restart()
                socket.send_fds(self._socket, [b"f"], files)
        self._forked = True
        return Worker(Connection(calls.detach()), Connection(control.detach()))

    def _restart(self) -> None:
        self.stop()
        self._bare = True  # the study's own modules may have ended it
        self._start()

    def stop(self) -> None:
        """End it, with its workers and all that they have started."""
        self._socket.close()
        try:
            self._process.wait(PATIENCE_SECONDS if self._forked else 0)
        except subprocess.TimeoutExpired:  # it is still importing, or hangs
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def close(self) -> None:
        """End it for good."""
        self.stop()
        self._log.close()

    def told(self) -> str:
        """The end of what it and its workers printed."""
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - TOLD))
        return self._log.read().decode(errors="replace").strip()
