"""The process that workers of a cluster's process are forked from, kept from search to search."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from nettuner.tasks.workers.base import PrivateBase, stand_by

# How long it stays when no agent needs it [s].
IDLE_SECONDS = 300.0

_lock = threading.Lock()
_held = ExitStack()
_users = 0
_timer: threading.Timer | None = None


@contextmanager
def base_kept() -> Iterator[None]:
    """Fork workers from it while the block runs; it starts if there is none."""
    _begin()
    try:
        yield
    finally:
        _end()


def _begin() -> None:
    global _users, _timer
    with _lock:
        if _timer is not None:
            _timer.cancel()
            _timer = None
        elif not _users:
            base = PrivateBase()
            _held.callback(base.close)
            _held.enter_context(stand_by(base))
        _users += 1


def _end() -> None:
    global _users, _timer
    with _lock:
        _users -= 1
        if not _users:
            _timer = threading.Timer(IDLE_SECONDS, _close)
            _timer.daemon = True
            _timer.start()


def _close() -> None:
    global _timer
    with _lock:
        if _timer is not None and not _users:
            _timer = None
            _held.close()
