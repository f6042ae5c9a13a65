"""The warm process of a home: it has imported what commands need, and each runs in a fork of it.

`flows/entry.py` finds it; a command that ran without one leaves one behind for the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from nettuner.flows.servers.resident import idle_minutes
from nettuner.tasks import preloaded
from nettuner.tasks.home import home
from nettuner.tasks.preloaded import READ_ON_IMPORT, Kind

# What Python, Prefect, numpy and others read while they are imported.
ALSO_READ = ("DO_NOT_TRACK", "HOME", "LANG", "LC_", "NPY_", "PREFECT_", "SCIPY_", "SKLEARN_", "TZ")
KIND = Kind(
    "warm",
    "nettuner.flows.warm_main",
    ("flows", "models", "tasks"),
    (*READ_ON_IMPORT, *ALSO_READ),
    waits=False,
)


def leave_one(environment: Mapping[str, str]) -> None:
    """Start one for later commands, if none is there.

    Args:
        environment: Environment that this command was started with.
    """
    with suppress(OSError, NotImplementedError):  # no room, or no locks
        preloaded.make_resident(KIND, home(), 60 * idle_minutes(), environment=environment)
