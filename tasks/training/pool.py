"""Worker processes for trials: reused, stopped when over time, replaced when they die."""

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

# The environment variable that names the file which takes what workers print.
WORKER_LOG = "NETTUNER_WORKER_LOG"
# How often the metrics of a running trial are looked at.
GLANCE_SECONDS = 0.2
# How often a call is tried anew that was lost when all workers died.
ATTEMPTS = 3
INTERRUPTED = "the search was interrupted"
# Python's own: it leaves the working directory out of the path of a process that starts.
SAFE_PATH = "PYTHONSAFEPATH"
_STARTING = threading.Lock()


class TrialFailedError(Exception):
    """A trial that has no score; the message is the reason people see.

    Args:
        reason: Reason, in one line.
        details: Traceback; empty where there is none.
    """

    def __init__(self, reason: str, details: str = "") -> None:
        super().__init__(reason)
        self.details = details


class InterruptedSearchError(Exception):
    """The pool was stopped while a trial ran; the trial says nothing and is asked for again."""


class Pool(Protocol):
    """Where trials run. Threads drive it: each calls `run`, which blocks until that has ended."""

    def run(
        self,
        function: Callable[..., Result],
        *args: Any,
        seconds: float | None = None,
        glance: Callable[[], object] = ...,
    ) -> Result:
        """Call `function(*args)` in a worker and wait for its answer.

        Args:
            function: Function, importable by name in the worker.
            args: Arguments, picklable.
            seconds: Most time that it may take.
            glance: Function that is called a few times a second meanwhile.

        Raises:
            TrialFailedError: The function raised, took too long, or its process died.
            InterruptedSearchError: The pool was stopped meanwhile.
        """
        ...

    def stop(self) -> None:
        """End all workers now, whatever they do."""
        ...


@contextmanager
def open_pool(width: int, threads: int) -> Iterator[Pool]:
    """The workers of one search; they end with it.

    Args:
        width: Number of workers.
        threads: Threads of each.
    """
    pool = WorkerPool(width, threads)
    try:
        yield pool
    finally:
        pool.stop()


class _SafeProcess(SpawnProcess):
    """Starts without the working directory on its path.

    A file there that is named like a module which the standard library tries to import, `nt.py`
    say, would else be imported before anything of ours.
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
    """Spawns, because a fork copies locks of the threads that Prefect and torch hold."""

    Process = _SafeProcess


class WorkerPool(Pool):
    """`width` processes, each of which imports torch once and runs one trial after another.

    Threads drive it: each calls `run`, which blocks until the trial has ended. A trial that takes
    too long, or whose process dies, costs that process alone.
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
        """End all processes now, whatever they do."""
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
            if not self._pool.active:  # a worker died while none had anything to do
                self._pool.stop()  # type: ignore[no-untyped-call]
                self._pool.join(timeout=10)
                self._pool = self._started()
            return self._pool.schedule(_call, args=call, timeout=seconds)


@dataclass(frozen=True)
class _Failure:
    """An exception in a worker, as words: many an exception does not survive pickling."""

    reason: str
    details: str


def _call(function: Callable[..., Result], *args: Any) -> Result | _Failure:
    try:
        return function(*args)
    except BaseException as error:  # also sys.exit in a user's function
        return _Failure(f"{type(error).__name__}: {error}", traceback.format_exc())


def _reason(error: Exception) -> str:
    """Why there is no answer, where the function itself raised nothing."""
    if isinstance(error, TimeoutError):
        return f"stopped: a trial may take {error.args[1]:g} s (trial_seconds)"
    if not isinstance(error, ProcessExpired):  # what was sent there or back cannot be pickled
        return f"{type(error).__name__}: {error}"
    code = error.exitcode
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        hint = "; most often the machine ran out of memory" if name == "SIGKILL" else ""
        return f"its process was killed by {name}{hint}"
    return f"its process exited with status {code}"


def _prepare(threads: int) -> None:
    """Keep the numeric libraries to their share of the cores, before they are imported."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the search to handle
    os.environ.pop(SAFE_PATH, None)  # what a trial starts is started as ever
    if os.environ.get(WORKER_LOG):
        log = os.open(os.environ[WORKER_LOG], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    import torch

    torch.set_num_threads(threads)
