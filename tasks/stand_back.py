"""Work that nobody waits for, which leaves most of the processors to everything else."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# A tenth of what others get: what is worth less may never end beside a long search. Linux compares
# processes of one session by it.
LITTLE = 10
# Where Linux weighs sessions against each other first, whatever their processes are worth.
WEIGHT = "autogroup"
USUAL = 0
# The kernel refuses a change that comes sooner after another one [s].
BETWEEN_CHANGES = 0.1


def stand_back() -> None:
    """Give way to every other process, from now on. For the leader of a session."""
    os.nice(LITTLE - os.nice(0))
    weigh("self", LITTLE)


@contextmanager
def standing_back() -> Iterator[None]:
    """Give way to all other sessions inside the block. For the leader of a session."""
    weigh("self", LITTLE)
    try:
        yield
    finally:
        weigh("self", USUAL)


def wanted(process: int) -> None:
    """Somebody waits for a process that may be standing back: it gives way no longer."""
    weigh(str(process), USUAL)


def weigh(process: str, niceness: int) -> None:
    """Set what the session of a process is worth; does nothing where sessions are not weighed."""
    path = Path("/proc", process, WEIGHT)
    with suppress(OSError):
        try:
            path.write_text(str(niceness), encoding="ascii")
        except BlockingIOError:
            time.sleep(BETWEEN_CHANGES)
            path.write_text(str(niceness), encoding="ascii")
