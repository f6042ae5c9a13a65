"""Shows the outcome of a flow run in its name and in the message of its state."""

from __future__ import annotations

from typing import TypeVar

from prefect import State
from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext
from prefect.states import Completed

Data = TypeVar("Data")


def ended(outcome: str, message: str, data: Data) -> State[Data]:
    """The final state of the current flow run; the outcome is added to the run's name.

    The state keeps its usual name, as Prefect's pages hide runs in states with custom names.

    Args:
        outcome: Outcome in one or two words.
        message: Message of the state, a sentence.
        data: Result of the flow.
    """
    context = FlowRunContext.get()
    if context is not None and context.flow_run is not None:
        with get_client(sync_client=True) as client:
            name = f"{context.flow_run.name}: {outcome}"
            client.update_flow_run(context.flow_run.id, name=name)
    return Completed(message=message, data=data)
