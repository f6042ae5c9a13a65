"""Allows one run of a kind at a time for each study."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from prefect.client.orchestration import get_client
from prefect.concurrency.sync import concurrency

from nettuner.flows.prefect_runs.prefect_private import (
    ConcurrencySlotAcquisitionError,
    is_taken,
)

# The slot of a killed run is released after this time.
LEASE_SECONDS = 60.0


class BusyError(RuntimeError):
    """Another run holds the slot."""


@contextmanager
def one_at_a_time(what: str, study: str) -> Iterator[None]:
    """Hold the only concurrency slot for this work on a study.

    Raises:
        BusyError: Another run holds it.
    """
    name = f"nettuner-{what}-{study}"
    with get_client(sync_client=True) as client:
        client.upsert_global_concurrency_limit_by_name(name, 1)
    place = concurrency(
        name,
        max_retries=0,
        strict=True,
        lease_duration=LEASE_SECONDS,
        raise_on_lease_renewal_failure=False,
    )
    with ExitStack() as held:
        try:
            held.enter_context(place)
        except ConcurrencySlotAcquisitionError as error:
            if not is_taken(error):
                raise
            raise BusyError(
                f"another {what} of {study} is running; this one left it to that"
            ) from None
        yield
