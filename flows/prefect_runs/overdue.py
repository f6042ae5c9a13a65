"""Skips an overdue scheduled run if a later one is due as well."""

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

# Tolerance of expected start times.
SLACK = timedelta(seconds=1)
WITHOUT_RESULT = (StateType.CANCELLED, StateType.CANCELLING, StateType.CRASHED, StateType.FAILED)


def superseded() -> str | None:
    """Why the current flow run should be skipped; None if it should go on.

    Prefect starts every run that was missed while the machine was off, one after another. The
    latest of them does the work of all.
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
    """Whether a run does the work, has done it, or was skipped for a still later one.

    Prefect does not start runs in order. Cancelled and failed runs do not count.
    """
    return run.state is None or run.state.type not in WITHOUT_RESULT
