"""The process that workers are forked from: started before anything else, or found in the home."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from nettuner.flows.servers.resident import idle_minutes, stay
from nettuner.tasks.home import home
from nettuner.tasks.preloaded import Preloaded
from nettuner.tasks.workers.base import PrivateBase, make_resident, stand_by
from nettuner.tasks.workers.places import STORE


@contextmanager
def forks() -> Iterator[None]:
    """Have a process to fork from while the block runs; nothing is waited for.

    It is the home's own, which stays for later commands, or with NETTUNER_SERVERS=none one that
    ends with the block.
    """
    base = _resident()
    if base is not None:
        with stand_by(base):
            yield
        return
    own = PrivateBase()
    try:
        with stand_by(own):
            yield
    finally:
        own.close()


def _resident() -> Preloaded | None:
    if not stay():
        return None
    with suppress(OSError, NotImplementedError):  # no room, or no locks
        return make_resident(home(), 60 * idle_minutes(), STORE.imports)
    return None
