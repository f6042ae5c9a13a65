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
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext

# A schedule's own runs are due to the second.
SLACK = timedelta(seconds=1)


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
        if run.auto_scheduled and run.expected_start_time and _is_to_come(run)
    ]
    if not times:
        return None
    return (
        f"this run was due at {mine:%Y-%m-%d %H:%M:%S} UTC and missed; the one that was due at "
        f"{max(times):%Y-%m-%d %H:%M:%S} does its work"
    )


def _is_to_come(run: FlowRun) -> bool:
    """Whether it has not ended: one that a limit has cancelled does nobody's work."""
    return run.state is None or not run.state.is_final()
