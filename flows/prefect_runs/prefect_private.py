"""All uses of Prefect's internal interfaces, in one place.

- `read_settings_again`: settings are read when Prefect is imported; a notebook may have done so.
- `use_server`: reading all settings again takes a quarter of a second.
- `forget_logging`: its logging is set up when it is imported, once.
- `server_app`: makes the server's application as `prefect server start` does, to be guarded.
- `EPHEMERAL`: tells that application that it serves one command and has no pages.
- `drain_events`: waits until the server has all events, which a process that ends would lose.
- `is_taken`: distinguishes a slot that is taken from a server that is slow to answer.
- `plain`: passes a task its argument without a search for results of other tasks in it.
- `_active_services`: what a process that was forked from this one would wait for at its end.

`tests/flows/prefect_runs/test_prefect_private.py` fails if a release changes one of them.
"""

from __future__ import annotations

import os
from typing import TypeVar, cast

from httpx import HTTPStatusError, codes
from prefect._internal.concurrency.services import _active_services
from prefect.concurrency.asyncio import ConcurrencySlotAcquisitionError
from prefect.utilities.annotations import quote
from starlette.types import ASGIApp

__all__ = [
    "EPHEMERAL",
    "ConcurrencySlotAcquisitionError",
    "drain_events",
    "forget_logging",
    "is_taken",
    "plain",
    "read_settings_again",
    "server_app",
    "use_server",
]

Value = TypeVar("Value")


# As Prefect tells the temporary server that it would start itself later.
EPHEMERAL = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1"}


def _leave_services_behind() -> None:
    """Let a process that was forked end with status 0.

    Once a flow has run, Prefect waits at the end of its process until its services have sent
    everything. In a child these are stopped and empty, which it refuses by an AssertionError: every
    worker of a DataLoader that is read after a search would have failed.
    """
    for service in list(_active_services):
        service.drain = lambda at_exit=False: False  # type: ignore[method-assign]


os.register_at_fork(after_in_child=_leave_services_behind)


def read_settings_again() -> None:
    """Take over what was set in the environment since Prefect was imported."""
    from prefect.context import refresh_global_settings_context

    refresh_global_settings_context()


def use_server(address: str) -> None:
    """Use a server that serves searches alone, until the settings are read again.

    Nothing there listens to heartbeats, for whose end every flow would wait up to a second.

    Args:
        address: URL of its pages.
    """
    from prefect import context

    found = context.GLOBAL_SETTINGS_CONTEXT
    settings = found.settings
    changed = {
        "api": settings.api.model_copy(update={"url": f"{address}/api"}),
        "flows": settings.flows.model_copy(update={"heartbeat_frequency": None}),
        "ui_url": address,
    }
    context.GLOBAL_SETTINGS_CONTEXT = context.SettingsContext(
        profile=found.profile, settings=settings.model_copy(update=changed)
    )


def forget_logging() -> None:
    """Have Prefect set up its logging again where it makes sure of it.

    In a process that was forked it is as it was set there, for the streams of that process.
    """
    from prefect.logging.configuration import PROCESS_LOGGING_CONFIG

    PROCESS_LOGGING_CONFIG.clear()


def server_app() -> ASGIApp:
    """The application of Prefect's server, with its services."""
    from prefect.server.api.server import create_app  # slow to import

    return cast("ASGIApp", create_app(final=True))


def drain_events() -> None:
    """Wait until the server has every event that was emitted."""
    from prefect.events.worker import EventsWorker

    EventsWorker.instance().drain()


def is_taken(error: ConcurrencySlotAcquisitionError) -> bool:
    """Whether the server reported the slot as taken, not merely answered late."""
    cause = error.__cause__
    return isinstance(cause, HTTPStatusError) and cause.response.status_code == codes.LOCKED


def plain(value: Value) -> Value:
    """Pass a value to a task as it is.

    Prefect would else search it for results of other tasks, which is slow and adds redundant edges
    to the DAG beside those of `wait_for`.
    """
    return cast("Value", quote(value))
