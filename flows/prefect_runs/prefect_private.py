"""What Prefect does not promise to keep and is used nevertheless, in one place.

- `start_server`: the server that Prefect itself starts where none is named, started at once.
- `drain_events`: waits until the server has all events; a process that ended would lose them.
- `is_taken`: tells a place that somebody holds from a server that is slow to answer.
- `plain`: hands a task its argument without a search for results of other tasks in it.

`tests/flows/prefect_runs/test_prefect_private.py` fails first where a release changes one of them.
"""

from __future__ import annotations

from typing import TypeVar, cast

from httpx import HTTPStatusError, codes
from prefect.concurrency.asyncio import ConcurrencySlotAcquisitionError
from prefect.utilities.annotations import quote

__all__ = ["ConcurrencySlotAcquisitionError", "drain_events", "is_taken", "plain", "start_server"]

Value = TypeVar("Value")


def start_server() -> None:
    """Start the server of this process; it ends with it."""
    from prefect.server.api.server import SubprocessASGIServer  # takes seconds to import

    SubprocessASGIServer().start()


def drain_events() -> None:
    """Wait until the server has every event that was emitted."""
    from prefect.events.worker import EventsWorker

    EventsWorker.instance().drain()


def is_taken(error: ConcurrencySlotAcquisitionError) -> bool:
    """Whether the server said that somebody has the place: a slow answer is no such answer."""
    cause = error.__cause__
    return isinstance(cause, HTTPStatusError) and cause.response.status_code == codes.LOCKED


def plain(value: Value) -> Value:
    """Hands a value to a task as it is.

    Prefect would else look through it for results of other tasks, which takes long and draws
    every edge of the DAG that `wait_for` draws, and those that follow from them.
    """
    return cast("Value", quote(value))
