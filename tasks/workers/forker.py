"""Forks the workers of one search from a process that has imported what every trial needs.

A worker starts in milliseconds, in a process that nothing has changed yet. Forking is safe only
from a process with a single thread that has not touched CUDA; whatever a study's own modules do on
import, this is checked after they were imported, in a process that is given up if they broke the
rule: then workers are forked without them.

It ends its workers, with all that they have started, when the search asks for it or is gone.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import traceback
from contextlib import suppress
from multiprocessing.connection import Connection, wait

import torch

from nettuner.models.preload import preload
from nettuner.tasks.surroundings import take_over
from nettuner.tasks.variable import variable
from nettuner.tasks.workers.messages import Setting
from nettuner.tasks.workers.process_tree import (
    adopt_orphans,
    end_adopted,
    end_tree,
    end_with_parent,
    threads,
)
from nettuner.tasks.workers.worker import work

STANDARD_OUTPUT, STANDARD_ERROR = 1, 2
# With it `torch.cuda.is_available()`, which many modules ask on import, asks the library of the
# driver, not CUDA itself, after which no process that is forked from this one could use CUDA.
ASKS_NVML = "PYTORCH_NVML_BASED_CUDA_CHECK"
READY = b"r"


def serve_search(requests: socket.socket) -> None:
    """Be the process that the workers of one search are forked from, until it is gone.

    Args:
        requests: Socket of the search, which first tells its setting.
    """
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    told, files, _, _ = socket.recv_fds(requests, 1, 1)
    if not told:
        return
    for stream in (STANDARD_OUTPUT, STANDARD_ERROR):
        os.dup2(files[0], stream)
    os.close(files[0])
    given: Setting = Connection(os.dup(requests.fileno())).recv()
    requests.sendall(os.getpid().to_bytes(4, "little"))
    take_over(given.surroundings)
    if given.study is not None and not given.bare and _is_prepared_elsewhere(given):
        return
    gc.collect()
    gc.freeze()  # a collection in a worker would copy all shared memory
    Forker(requests, given.threads).run()


def _is_prepared_elsewhere(given: Setting) -> bool:
    """Whether a child, which has imported what the study needs, goes on in place of this process.

    In the child itself it is false once it may be forked.
    """
    heard, tell = os.pipe()
    child = os.fork()
    if child:
        os.close(tell)
        fit = os.read(heard, 1)
        os.close(heard)
        if not fit:  # it is gone
            os.waitpid(child, 0)
        return bool(fit)
    os.close(heard)
    reason = _prepare(given)
    if reason:
        print(f"started without the study's own modules: {reason}", flush=True)
        os._exit(1)
    os.write(tell, READY)
    os.close(tell)
    return False


def _prepare(given: Setting) -> str | None:
    """Import what a study needs; returns why this process may not be forked then."""
    assert given.study is not None
    try:
        with variable(ASKS_NVML, "1"):
            preload(given.study)
    except BaseException:  # each trial will say so itself
        return traceback.format_exc()
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return "they use CUDA"
    if threads() > 1:
        return "they start threads"
    return None


class Forker:
    """Forks workers, and tells the search of their ends.

    Args:
        requests: Socket with the requests of the search.
        threads: Number of threads of numeric libraries in a worker.
    """

    def __init__(self, requests: socket.socket, threads: int) -> None:
        self._requests = requests
        self._threads = threads
        self._workers: dict[int, Connection] = {}
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)

    def run(self) -> None:
        """Serve until the search is gone."""
        adopt_orphans()
        signal.set_wakeup_fd(self._wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # or nothing is written to the pipe
        while True:
            ready = wait([self._requests, self._woken, *self._workers.values()])
            if self._woken in ready:
                os.read(self._woken, 4096)
                self._reap()
            for pid, control in list(self._workers.items()):
                if control in ready:
                    end_tree(pid)
            if self._requests in ready and not self._serve():
                return

    def _serve(self) -> bool:
        """Fork a worker; returns whether the search is still there."""
        request, files, _, _ = socket.recv_fds(self._requests, 1, 2)
        if not request:
            for pid in self._workers:
                end_tree(pid)
            end_adopted(())
            return False
        calls, control = Connection(files[0]), Connection(files[1])
        try:
            pid = os.fork()
        except OSError:  # no memory, or too many processes: the search asks again
            traceback.print_exc()
            control.close()
        else:
            if not pid:
                self._become_worker(calls)
            self._workers[pid] = control
        calls.close()
        return True

    def _become_worker(self, calls: Connection) -> None:
        try:
            parent = os.getppid()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._requests.close()
            for control in self._workers.values():
                control.close()
            os.close(self._woken)
            os.close(self._wake)
            os.setsid()  # a signal that it sends to its own group stays there
            adopt_orphans()
            end_with_parent(parent)
            work(calls, self._threads)
        except BaseException:  # it may not return to the code of the process it was forked from
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(1)

    def _reap(self) -> None:
        """Reap children that have ended, and end what they have left behind."""
        ended: dict[int, int] = {}
        with suppress(ChildProcessError):
            while True:
                pid, code = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    break
                ended[pid] = os.waitstatus_to_exitcode(code)
        for pid in ended.keys() & self._workers.keys():
            control = self._workers.pop(pid)
            end_adopted(self._workers)
            with suppress(OSError):
                control.send(ended[pid])
            control.close()
