"""Prefect events that nettuner emits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DEGRADED = "nettuner.champion.degraded"
PROMOTED = "nettuner.champion.promoted"
REFUSED = "nettuner.challenger.refused"
ROLLED_BACK = "nettuner.champion.rolled-back"


def tell(event: str, study: str, payload: Mapping[str, Any]) -> None:
    """Emit an event about the champion of a study, and wait until the server has it.

    If the process ended before, the event would be lost.
    """
    from prefect.events import emit_event

    from nettuner.flows.prefect_runs.prefect_private import drain_events

    about = {
        "prefect.resource.id": f"nettuner.study.{study}",
        "prefect.resource.name": study,
        "prefect.resource.role": "champion",
    }
    if emit_event(event, resource=about, payload=dict(payload)) is not None:
        drain_events()
