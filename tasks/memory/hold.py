"""One process at a time drives a search: who does holds a lock, which ends with the process."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from nettuner.tasks.home import home


@contextmanager
def hold(run_id: str, name: str) -> Iterator[None]:
    """Hold a search while the block runs.

    Args:
        run_id: Id of the search's run.
        name: Name of the search, for messages.

    Raises:
        ValueError: Another process holds it.
    """
    folder = home() / "locks"
    folder.mkdir(exist_ok=True)
    lock = FileLock(folder / f"{run_id}.lock", thread_local=False)
    note = folder / f"{run_id}.json"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ValueError(
            f"{name!r} may be run by one process at a time, got another beside {_holder(note)}; "
            "wait until it has ended, or end it"
        ) from None
    try:
        began = time.strftime("%Y-%m-%d %H:%M:%S")
        holder = {"process": os.getpid(), "host": socket.gethostname(), "since": began}
        note.write_text(json.dumps(holder), encoding="utf-8")
        yield
    finally:
        note.unlink(missing_ok=True)
        lock.release()


def _holder(note: Path) -> str:
    """Who holds a search since when, as it left word."""
    try:
        told = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # it is just beginning, or ending
        return "one that has just begun"
    return f"process {told['process']} on {told['host']}, which has run it since {told['since']}"
