"""A run that its schedule meant for an earlier time leaves, where a later one is due as well."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.context import FlowRunContext

# A schedule's own runs are due to the second.
SLACK = timedelta(seconds=1)
WITHOUT_RESULT = (StateType.CANCELLED, StateType.CANCELLING, StateType.CRASHED, StateType.FAILED)


def superseded() -> str | None:
    """Why the flow run that this is in should leave early; None if it should go on.

    Prefect starts every run that a machine missed while it was off, one after another. The newest
    of them does all that they would have done.
    """
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run is None or run.deployment_id is None or not run.auto_scheduled:
        return None
    mine = run.expected_start_time
    if mine is None:
        return None
    with get_client(sync_client=True) as client:
        later = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                expected_start_time=FlowRunFilterExpectedStartTime(
                    after_=mine + SLACK, before_=datetime.now(UTC)
                )
            ),
            deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[run.deployment_id])),
        )
    times = [
        run.expected_start_time
        for run in later
        if run.auto_scheduled and run.expected_start_time and _counts(run)
    ]
    if not times:
        return None
    return (
        f"this run was due at {mine:%Y-%m-%d %H:%M:%S} UTC and missed; the one that was due at "
        f"{max(times):%Y-%m-%d %H:%M:%S} does its work"
    )


def _counts(run: FlowRun) -> bool:
    """Whether it does the work, has done it, or left that to one that is due later still.

    Prefect does not start them in order. One that was cancelled by a limit, or failed, does not.
    """
    return run.state is None or run.state.type not in WITHOUT_RESULT
