"""The process that workers are forked from: it has imported what every trial needs.

A worker starts in milliseconds, in a process that nothing has changed yet. Forking is safe only
from a process with a single thread that has not touched CUDA; whatever a study's own modules do on
import, this is checked after they were imported, and if they broke the rule the process starts
anew without them.

It ends its workers, with all that they have started, when the search asks for it or is gone.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
import threading
import traceback
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING

import torch

from nettuner.models.training.preload import preload
from nettuner.tasks.workers.messages import BARE, SEARCH_PATH, THREADS
from nettuner.tasks.workers.process_tree import (
    adopt_orphans,
    end_adopted,
    end_tree,
    end_with_parent,
)
from nettuner.tasks.workers.worker import work

if TYPE_CHECKING:
    from nettuner.models.study import Study


def main() -> None:
    """Import, then fork a worker for every request."""
    requests = socket.socket(fileno=int(sys.argv[1]))
    threads = int(os.environ.pop(THREADS))
    # Only now: a file in the working directory could be taken for one of the standard library.
    path = os.environ.pop(SEARCH_PATH)
    sys.path[:] = json.loads(path)
    if BARE not in sys.argv:
        study = Connection(os.dup(requests.fileno())).recv()
        reason = _prepare(study) if study is not None else None
        if reason:
            print(f"started anew without the study's own modules: {reason}", flush=True)
            os.environ |= {THREADS: str(threads), SEARCH_PATH: path}
            os.set_inheritable(requests.fileno(), True)
            os.execv(sys.executable, [*sys.orig_argv, BARE])
    gc.collect()
    gc.freeze()  # a collection in a worker would copy all shared memory
    Forker(requests, threads).run()


def _prepare(study: Study) -> str | None:
    """Import what a study needs; returns why this process may not be forked then."""
    try:
        preload(study)
    except BaseException:  # each trial will say so itself
        return traceback.format_exc()
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return "they use CUDA"
    if _threads() > 1:
        return "they start threads"
    return None


def _threads() -> int:
    """Threads of this process, those that Python does not know of included."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return threading.active_count()


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


if __name__ == "__main__":
    main()
