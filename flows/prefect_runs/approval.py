"""Asks a person to approve a promotion, by the form of a paused flow run."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Annotated, Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext
from prefect.exceptions import PrefectException
from prefect.flow_runs import pause_flow_run
from prefect.input import RunInput
from pydantic import Field

# Prefect's time-out of the paused run, counted from the deadline for an answer [s].
PRESUMED_DEAD_SECONDS = 600


class Approval(RunInput):
    """What a person says to a challenger that passed the gate."""

    promote: Annotated[bool, Field(description="Make the challenger the champion.")] = False
    name: Annotated[str, Field(description="Who decides; kept with the version.")] = ""
    note: Annotated[str, Field(description="Why; kept with the version.")] = ""

    @property
    def refusal(self) -> str:
        """Message of a refusal."""
        who = f"declined by {self.name}" if self.name else "declined"
        return f"{who}: {self.note}" if self.note else who

    @property
    def agreement(self) -> str:
        """Message of an approval."""
        who = f"approved by {self.name}" if self.name else "approved"
        return f"{who}: {self.note}" if self.note else who


def ask(question: str, minutes: float) -> Approval:
    """Pause until a person has filled in the form; no answer in time means no.

    After Prefect's own time-out a run can only fail, so a timer answers no before it.
    """
    context = FlowRunContext.get()
    assert context is not None
    assert context.flow_run is not None
    nobody = {"promote": False, "note": f"nobody answered within {minutes:g} minutes"}
    answer = threading.Timer(60 * minutes, _answer, [context.flow_run.id, nobody])
    answer.start()
    try:
        form = Approval.with_initial_data(description=question)
        later = round(60 * minutes) + PRESUMED_DEAD_SECONDS
        found: Approval = pause_flow_run(form, timeout=later, poll_interval=2, key="approval")
    finally:
        answer.cancel()
    return found


def _answer(flow_run: UUID, said: dict[str, Any]) -> None:
    with get_client(sync_client=True) as client, suppress(PrefectException):  # answered meanwhile
        client.resume_flow_run(flow_run, run_input=said)
