"""Worker processes for trials: reused, killed at a time limit, replaced when they die."""

from __future__ import annotations

import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any, Protocol, TypeVar

from pebble import ProcessExpired, ProcessFuture, ProcessPool

Result = TypeVar("Result")

# Environment variable: path of the file for the output of workers.
WORKER_LOG = "NETTUNER_WORKER_LOG"
# Interval between two looks at the metrics of a running trial [s].
GLANCE_SECONDS = 0.2
# Attempts for a call that is lost because all workers died.
ATTEMPTS = 3
INTERRUPTED = "the search was interrupted"
# Python's own variable: keeps the working directory out of `sys.path` of a new process.
SAFE_PATH = "PYTHONSAFEPATH"
_STARTING = threading.Lock()


class TrialFailedError(Exception):
    """A trial failed; the message is the reason that people see.

    Args:
        reason: Reason, in one line.
        details: Traceback; empty where there is none.
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
    ) -> Result:
        """Call `function(*args)` in a worker and wait for its result.

        Args:
            function: Function, importable by name in the worker.
            args: Arguments, picklable.
            seconds: Time limit [s]; None for no limit.
            glance: Callback, called a few times a second while waiting.

        Raises:
            TrialFailedError: The function raised, took too long, or its process died.
            InterruptedSearchError: The pool was stopped meanwhile.
        """
        ...

    def stop(self) -> None:
        """Kill all workers now."""
        ...


@contextmanager
def open_pool(width: int, threads: int) -> Iterator[Pool]:
    """The workers of one search; they are stopped at its end.

    Args:
        width: Number of workers.
        threads: Threads of each worker.
    """
    pool = WorkerPool(width, threads)
    try:
        yield pool
    finally:
        pool.stop()


class _SafeProcess(SpawnProcess):
    """Starts without the working directory on `sys.path`.

    Else a file there named like a module that the standard library tries to import, such as
    `nt.py`, would be imported.
    """

    def start(self) -> None:
        with _STARTING:
            before = os.environ.get(SAFE_PATH)
            os.environ[SAFE_PATH] = "1"
            try:
                super().start()
            finally:
                del os.environ[SAFE_PATH]
                os.environ.update({} if before is None else {SAFE_PATH: before})


class SafeSpawn(SpawnContext):
    """Spawns processes; a fork would copy locks that threads of Prefect and torch hold."""

    Process = _SafeProcess


class WorkerPool(Pool):
    """`width` processes, each of which imports torch once and runs one trial after another.

    A trial that exceeds its time limit, or whose process dies, costs that process alone.
    """

    def __init__(self, width: int, threads: int) -> None:
        self._width = width
        self._threads = threads
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._pool = self._started()

    def _started(self) -> ProcessPool:
        return ProcessPool(
            max_workers=self._width,
            initializer=_prepare,
            initargs=[self._threads],
            context=SafeSpawn(),
        )

    def stop(self) -> None:
        """Kill all processes now."""
        with self._lock:
            self._stopped.set()
            self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join(timeout=10)

    def run(
        self,
        function: Callable[..., Result],
        *args: Any,
        seconds: float | None = None,
        glance: Callable[[], object] = lambda: None,
    ) -> Result:
        """See `Pool.run`."""
        for _ in range(ATTEMPTS):
            future = self._schedule(function, *args, seconds=seconds)
            while not future.done():
                if self._stopped.is_set():
                    raise InterruptedSearchError(INTERRUPTED)
                glance()
                wait([future], GLANCE_SECONDS)
            try:
                answer: Result | _Failure = future.result()
            except Exception as error:
                if self._stopped.is_set():
                    raise InterruptedSearchError(INTERRUPTED) from None
                if isinstance(error, BrokenProcessPool):
                    continue
                raise TrialFailedError(_reason(error)) from None
            if isinstance(answer, _Failure):
                raise TrialFailedError(answer.reason, answer.details)
            return answer
        raise TrialFailedError(f"its process died {ATTEMPTS} times before it could begin")

    def _schedule(self, *call: Any, seconds: float | None) -> ProcessFuture[Any]:
        with self._lock:
            if self._stopped.is_set():
                raise InterruptedSearchError(INTERRUPTED)
            if not self._pool.active:  # a worker died while all were idle
                self._pool.stop()  # type: ignore[no-untyped-call]
                self._pool.join(timeout=10)
                self._pool = self._started()
            return self._pool.schedule(_call, args=call, timeout=seconds)


@dataclass(frozen=True)
class _Failure:
    """An exception in a worker as text, because not every exception can be pickled."""

    reason: str
    details: str


def _call(function: Callable[..., Result], *args: Any) -> Result | _Failure:
    try:
        return function(*args)
    except BaseException as error:  # also sys.exit in a user's function
        return _Failure(f"{type(error).__name__}: {error}", traceback.format_exc())


def _reason(error: Exception) -> str:
    """Why there is no result, where the function itself raised nothing."""
    if isinstance(error, TimeoutError):
        return f"stopped: a trial may take {error.args[1]:g} s (trial_seconds)"
    if not isinstance(error, ProcessExpired):  # the arguments or the result cannot be pickled
        return f"{type(error).__name__}: {error}"
    code = error.exitcode
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        hint = "; most often the machine ran out of memory" if name == "SIGKILL" else ""
        return f"its process was killed by {name}{hint}"
    return f"its process exited with status {code}"


def _prepare(threads: int) -> None:
    """Set up a worker: signals, output, threads of the numeric libraries before their import."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is handled by the search
    os.environ.pop(SAFE_PATH, None)  # processes that a trial starts are not affected
    if os.environ.get(WORKER_LOG):
        log = os.open(os.environ[WORKER_LOG], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    import torch

    torch.set_num_threads(threads)
