"""Processes: their threads, parents, and their end together with all that they have started."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Collection
from contextlib import suppress

import psutil

# Options of Linux's `prctl`.
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
# How long processes may take to be gone after they were killed [s].
PATIENCE_SECONDS = 5.0


def threads() -> int:
    """Threads of this process, those that Python does not know of included."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return threading.active_count()


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends, so that they can be found."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def end_with_parent(parent: int) -> None:
    """Be killed when the parent ends.

    Args:
        parent: Process id of the parent that this process was forked from.
    """
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended already
        os._exit(1)


def _prctl(option: int, value: int) -> None:
    """Set an attribute of this process; Linux alone has them."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def end_tree(pid: int) -> None:
    """Kill a process and its descendants, whatever they do: stopped, busy, or deaf to signals.

    Args:
        pid: Process id, of a child that was not waited for.
    """
    with suppress(psutil.NoSuchProcess, ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)  # it starts no others meanwhile
        _end_all_below(psutil.Process(pid), {pid})
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def end_adopted(known: Collection[int]) -> None:
    """Kill the children that this process has adopted, and all below them.

    Args:
        known: Process ids of its own children.
    """
    here = psutil.Process()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        adopted = [c for c in here.children() if c.pid not in known and _lives(c)]
        if not adopted:
            return
        for process in adopted:
            end_tree(process.pid)
        time.sleep(0.001)


def _end_all_below(process: psutil.Process, known: Collection[int]) -> None:
    """Kill descendants again and again, as they may start others meanwhile."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = [p for p in process.children(recursive=True) if p.pid not in known and _lives(p)]
        if not found:
            return
        for descendant in found:
            with suppress(psutil.NoSuchProcess):
                descendant.kill()
        time.sleep(0.001)


def _lives(process: psutil.Process) -> bool:
    """Whether it is more than an entry that nobody has waited for yet."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
