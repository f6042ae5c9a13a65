"""Marks flow runs whose process was killed as crashed."""

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

# States of a run while a process executes it, or while it waits for a person.
HELD = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING, StateType.PAUSED]


def mark_crashed(address: str | None) -> None:
    """Mark a flow run as crashed if it is in a running state though its process was killed.

    Args:
        address: URL of the flow run in Prefect; None does nothing.
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
    """Mark all deployed runs in a running state as crashed; returns their number.

    Only call it if no other process runs deployments. Runs killed with their server would hold the
    concurrency slots of their deployment for ever.
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
