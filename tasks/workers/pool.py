"""Worker processes for trials: forked in milliseconds, ended with all they have started."""

from __future__ import annotations

import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from nettuner.models.training.failure import failure
from nettuner.tasks.workers.fork_server import TOLD, ForkServer, LostWorkerError, Worker
from nettuner.tasks.workers.messages import Answer, Call
from nettuner.tasks.workers.places import HERE, Place

if TYPE_CHECKING:
    from nettuner.models.study import Study

Result = TypeVar("Result")

# Interval between two looks at the metrics of a running trial [s].
GLANCE_SECONDS = 0.2
# Attempts for a call whose worker died before it could begin, or with all other workers.
ATTEMPTS = 3
INTERRUPTED = "the search was interrupted"


class TrialFailedError(Exception):
    """A trial failed; the message is the reason that people see.

    Args:
        reason: Reason, in one line.
        details: Traceback, or what the process printed last; empty where there is neither.
    """

    def __init__(self, reason: str, details: str = "") -> None:
        super().__init__(reason)
        self.details = details


class InterruptedSearchError(Exception):
    """The pool was stopped while a trial ran; the trial has no result and is proposed again."""


class Pool(Protocol):
    """Runs trials. Called from several threads: `run` blocks until its call has ended."""

    def run(
        self,
        function: Callable[..., Result],
        *args: Any,
        seconds: float | None = None,
        glance: Callable[[], object] = ...,
        begin: Callable[[], object] = ...,
        output: Path | None = None,
        own_process: bool = False,
        place: Place = HERE,
    ) -> Result:
        """Call `function(*args)` in a worker and wait for its result.

        Args:
            function: Function, importable by name in the worker.
            args: Arguments, picklable.
            seconds: Time limit [s]; None for no limit.
            glance: Callback, called a few times a second while waiting.
            begin: Callback, called when the worker, which may have to start first, begins.
            output: Path of a file to which all it prints is appended.
            own_process: Whether no other call may run in its process.
            place: Place of the worker.

        Raises:
            TrialFailedError: The function raised, took too long, or its process died.
            InterruptedSearchError: The pool was stopped meanwhile.
        """
        ...

    def stop(self) -> None:
        """Kill all workers now."""
        ...


@contextmanager
def open_pool(width: int, threads: int, study: Study | None = None) -> Iterator[Pool]:
    """The workers of one search; they are stopped at its end.

    Args:
        width: Number of workers, at places that are alike, that may stay for another call.
        threads: Threads of each worker.
        study: Study whose learner and data are loaded once, before workers are forked.
    """
    pool = WorkerPool(width, threads, study)
    try:
        yield pool
    finally:
        pool.stop()


class WorkerPool(Pool):
    """Workers run one call after another, until one takes too long, dies, or changes its process.

    Then that worker alone is replaced: what a call leaves behind never meets the next one.

    Args:
        width: Number of workers, at places that are alike, that may stay for another call.
        threads: Threads of each worker.
        study: Study whose learner and data are loaded once, before workers are forked.
    """

    def __init__(self, width: int, threads: int, study: Study | None = None) -> None:
        self._width = width
        self._lock = threading.Lock()
        self._server: ForkServer | None = ForkServer(threads, study)
        self._workers: set[Worker] = set()
        self._is_told = False
        self._idle: list[Worker] = []

    def stop(self) -> None:
        """Kill all processes now."""
        with self._lock:
            server, self._server = self._server, None
            workers, self._workers, self._idle = self._workers, set(), []
        for worker in workers:
            worker.end()
        for worker in workers:
            worker.wait()
        if server is not None:
            server.close()

    def run(
        self,
        function: Callable[..., Result],
        *args: Any,
        seconds: float | None = None,
        glance: Callable[[], object] = lambda: None,
        begin: Callable[[], object] = lambda: None,
        output: Path | None = None,
        own_process: bool = False,
        place: Place = HERE,
    ) -> Result:
        """See `Pool.run`."""
        try:
            call = pickle.dumps(Call(function, args, output))
        except Exception as error:
            raise TrialFailedError(failure(error).reason) from None
        for _ in range(ATTEMPTS):
            worker = self._take(place)
            answer: Answer | int | None = None
            try:
                answer = self._watched(worker, call, seconds, glance, begin)
            finally:
                again = isinstance(answer, Answer) and not (answer.changed or own_process)
                self._give_back(worker, again)
            if isinstance(answer, Answer):
                if answer.failure is not None:
                    raise TrialFailedError(answer.failure.reason, answer.failure.details)
                result: Result = answer.value
                return result
            if worker.begun and answer is not None:
                raise TrialFailedError(_reason(answer), _end_of(output))
        told = self._told()
        if not worker.begun:
            self._tell(told)
        last = f": {told.splitlines()[-1]}" if told else ""
        when = "with the one it was forked from" if worker.begun else "before it could begin"
        raise TrialFailedError(f"its process died {ATTEMPTS} times {when}{last}", told)

    def _watched(
        self,
        worker: Worker,
        call: bytes,
        seconds: float | None,
        glance: Callable[[], object],
        begin: Callable[[], object],
    ) -> Answer | int | None:
        """The answer to a call; an exit status, or None if nobody knows it, if the worker died."""
        worker.begin(call)
        limit, told = None, False
        while True:
            left = GLANCE_SECONDS if limit is None else limit - time.monotonic()
            try:
                answer = worker.answer(min(GLANCE_SECONDS, max(0.0, left)))
            except LostWorkerError:
                answer = None
                self._check_running()
                return answer
            except Exception as error:  # the result cannot be unpickled here
                return Answer(None, failure(error), changed=True)
            self._check_running()
            if worker.begun and not told:
                told = True
                begin()
            if answer is not None:
                return answer
            if limit is None and seconds is not None and worker.begun:
                limit = time.monotonic() + seconds
            if limit is not None and time.monotonic() >= limit:
                raise TrialFailedError(f"stopped: a trial may take {seconds:g} s (trial_seconds)")
            glance()

    def _check_running(self) -> None:
        if self._server is None:
            raise InterruptedSearchError(INTERRUPTED)

    def _take(self, place: Place) -> Worker:
        """A worker at such a place that is idle, or a new one."""
        with self._lock:
            if self._server is None:
                raise InterruptedSearchError(INTERRUPTED)
            for idle in reversed(self._idle):
                if idle.place == place:
                    self._idle.remove(idle)
                    return idle
            worker = self._server.fork(place)
            self._workers.add(worker)
            return worker

    def _give_back(self, worker: Worker, again: bool) -> None:
        with self._lock:
            alike = sum(idle.place == worker.place for idle in self._idle)
            if again and worker in self._workers and alike < self._width:
                self._idle.append(worker)
                return
            self._workers.discard(worker)
        worker.end()
        if worker.place.accelerator is not None:  # its memory is free once it is gone
            worker.wait()

    def _tell(self, told: str) -> None:
        """Say once why workers cannot start: no trial could say more."""
        with self._lock:
            is_told, self._is_told = self._is_told, True
        if told and not is_told and sys.stderr is not None:
            print(f"no worker can start:\n{told}", file=sys.stderr, flush=True)

    def _told(self) -> str:
        with self._lock:
            return self._server.told() if self._server else ""


def _reason(status: int) -> str:
    """Why there is no result, where the function itself raised nothing."""
    if status < 0:
        name = signal.Signals(-status).name
        hint = "; most often the machine ran out of memory" if name == "SIGKILL" else ""
        return f"its process was killed by {name}{hint}"
    return f"its process exited with status {status}"


def _end_of(output: Path | None) -> str:
    """The last that a call printed."""
    if output is None or not output.exists():
        return ""
    return output.read_bytes()[-TOLD:].decode(errors="replace")
