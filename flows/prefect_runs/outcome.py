"""How a run ended, to be seen in a list of runs: in its name, and as the message of its state."""

from __future__ import annotations

from typing import TypeVar

from prefect import State
from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext
from prefect.states import Completed

Data = TypeVar("Data")


def ended(outcome: str, message: str, data: Data) -> State[Data]:
    """The final state of the flow run that this is in, which is named after its outcome.

    The state keeps its usual name: Prefect's pages leave out runs whose states have names of
    their own.

    Args:
        outcome: Outcome in a word or two.
        message: Message, a sentence.
        data: Result that the flow returns.
    """
    context = FlowRunContext.get()
    if context is not None and context.flow_run is not None:
        with get_client(sync_client=True) as client:
            name = f"{context.flow_run.name}: {outcome}"
            client.update_flow_run(context.flow_run.id, name=name)
    return Completed(message=message, data=data)
