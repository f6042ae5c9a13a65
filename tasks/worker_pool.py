"""Worker processes for trials: reused, stopped when over time, replaced when they die."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeoutError
from types import TracebackType
from typing import Any, Self, TypeVar

from pebble import ProcessExpired, ProcessPool

Result = TypeVar("Result")

# The environment variable that names the file which takes what workers print.
WORKER_LOG = "NETTUNER_WORKER_LOG"
# How often the metrics of a running trial are looked at.
GLANCE_SECONDS = 0.2


class TrialFailedError(Exception):
    """A trial that has no score; the message is the reason people see."""


class InterruptedSearchError(Exception):
    """The pool was stopped while a trial ran; the trial says nothing and is asked for again."""


class WorkerPool:
    """`width` processes, each of which imports torch once and runs one trial after another.

    Threads drive it: each calls `run`, which blocks until the trial has ended. A trial that takes
    too long, or whose process dies, costs that process alone.
    """

    def __init__(self, width: int, threads: int) -> None:
        self._stopped = threading.Event()
        # Spawned, because a fork copies locks of the threads that Prefect and torch hold.
        self._pool = ProcessPool(
            max_workers=width,
            initializer=_prepare,
            initargs=[threads],
            context=multiprocessing.get_context("spawn"),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End all processes now, whatever they do."""
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
        """Call `function(*args)` in a worker and wait for its answer.

        Args:
            function: Importable by name in the worker.
            args: Its arguments, picklable.
            seconds: Stop the worker after this much time.
            glance: Called a few times a second meanwhile.

        Raises:
            TrialFailedError: the function raised, took too long, or its process died.
            InterruptedSearchError: the pool was stopped meanwhile.
        """
        future = self._pool.schedule(function, args=args, timeout=seconds)
        began = time.monotonic()
        while True:
            try:
                return future.result(timeout=GLANCE_SECONDS)
            except FutureTimeoutError as error:
                if self._stopped.is_set():
                    raise InterruptedSearchError("the search was interrupted") from None
                if not future.done():
                    glance()
                elif seconds is not None and time.monotonic() - began >= seconds:
                    raise TrialFailedError(
                        f"stopped: a trial may take {seconds:g} s (trial_seconds)"
                    ) from None
                else:
                    raise TrialFailedError(f"{type(error).__name__}: {error}") from error
            except CancelledError:
                raise InterruptedSearchError("the search was interrupted") from None
            except ProcessExpired as error:
                raise TrialFailedError(_death(error.exitcode)) from None
            except Exception as error:
                raise TrialFailedError(f"{type(error).__name__}: {error}") from error


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        hint = "; most often the machine ran out of memory" if name == "SIGKILL" else ""
        return f"its process was killed by {name}{hint}"
    return f"its process exited with status {code}"


def _prepare(threads: int) -> None:
    """Keep the numeric libraries to their share of the cores, before they are imported."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the search to handle
    if os.environ.get(WORKER_LOG):
        log = os.open(os.environ[WORKER_LOG], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    import torch

    torch.set_num_threads(threads)
