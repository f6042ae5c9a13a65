"""Flow runs whose process was killed, marked as what they are."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import State, StateType
from prefect.states import Crashed

# What a run is in while a process is at it, or waits for a person.
HELD = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING, StateType.PAUSED]


def mark_crashed(address: str | None) -> None:
    """Mark a flow run as crashed that still seems to run; a process that is killed cannot.

    Args:
        address: Address of its page in Prefect.
    """
    if address is None:
        return
    killed = UUID(address.rpartition("/")[2])
    crashed: State[Any] = Crashed(
        message="its process was killed; the search was resumed by another flow run"
    )
    of_search = FlowRunFilter(id=FlowRunFilterId(any_=[killed]))
    with get_client(sync_client=True) as client:
        for run in client.read_flow_runs(flow_run_filter=of_search):
            if run.state and not run.state.is_final():
                client.set_flow_run_state(run.id, crashed, force=True)
        for node in client.read_task_runs(flow_run_filter=of_search):
            if node.state and not node.state.is_final():
                client.set_task_run_state(node.id, crashed, force=True)


def mark_deployed_crashed() -> int:
    """Mark all runs of deployments that seem to run as crashed; gives how many there were.

    To be called where nothing else runs deployments. What was killed with its server would hold
    the places of its deployment for ever.
    """
    seem_to_run = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=HELD)),
        deployment_id=FlowRunFilterDeploymentId(is_null_=False),
    )
    crashed: State[Any] = Crashed(message="its process ended with the servers")
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(flow_run_filter=seem_to_run)
        for run in found:
            client.set_flow_run_state(run.id, crashed, force=True)
    return len(found)
