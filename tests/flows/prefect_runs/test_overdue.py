"""A run that was missed leaves where a later one of its schedule does the same work."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import uuid4

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.schedules import IntervalSchedule

from nettuner.flows.prefect_runs import overdue
from nettuner.flows.prefect_runs.overdue import superseded

DEPLOYMENT = uuid4()
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def due(minutes, state=StateType.SCHEDULED, *, scheduled=True, deployment=DEPLOYMENT):
    """A run that was due so many minutes after noon."""
    return FlowRun(
        flow_id=uuid4(),
        deployment_id=deployment,
        auto_scheduled=scheduled,
        expected_start_time=NOON + timedelta(minutes=minutes),
        state=None if state is None else State(type=state),
    )


@pytest.fixture
def inside(monkeypatch):
    """Ask within a run, beside others that the server has; gives what it was asked for, too."""

    def ask(run, *others):
        asked = []

        def read_flow_runs(**filters):
            asked.append(filters)
            after = filters["flow_run_filter"].expected_start_time.after_
            return [other for other in others if other.expected_start_time >= after]

        client = SimpleNamespace(read_flow_runs=read_flow_runs)
        monkeypatch.setattr(overdue, "get_client", lambda **_: nullcontext(client))
        context = None if run is None else SimpleNamespace(flow_run=run)
        monkeypatch.setattr(overdue.FlowRunContext, "get", lambda: context)
        return superseded(), asked

    return ask


def test_outside_of_a_run_nothing_is_superseded(inside):
    assert inside(None, due(10)) == (None, [])


@pytest.mark.parametrize("run", [due(0, scheduled=False), due(0, deployment=None)])
def test_a_run_that_somebody_started_is_never_superseded(inside, run):
    assert inside(run, due(10)) == (None, [])


def test_the_only_run_that_is_due_does_the_work(inside):
    told, (filters,) = inside(due(0, StateType.RUNNING))
    assert told is None
    assert filters["deployment_filter"].id.any_ == [DEPLOYMENT]


@pytest.mark.parametrize(
    "state",
    [None, StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING, StateType.COMPLETED],
)
def test_a_later_run_that_does_the_work_supersedes(inside, state):
    told, _ = inside(due(0), due(10, state), due(20, state))
    assert told == (
        "this run was due at 2026-03-01 12:00:00 UTC and missed; the one that was due at "
        "2026-03-01 12:20:00 does its work"
    )


@pytest.mark.parametrize(
    "state", [StateType.CANCELLED, StateType.CANCELLING, StateType.CRASHED, StateType.FAILED]
)
def test_a_later_run_without_a_result_does_not(inside, state):
    assert inside(due(0), due(10, state))[0] is None


def test_later_runs_that_somebody_started_do_not(inside):
    assert inside(due(0), due(10, scheduled=False))[0] is None


def test_a_run_is_not_superseded_by_itself_or_by_earlier_ones(inside):
    run = due(10)
    assert inside(run, run, due(0), due(10 + 0.5 / 60))[0] is None  # due to the second


@pytest.fixture
def hourly(lab):
    """The runs of an hourly schedule as the server makes them: three missed, one still to come."""
    with get_client(sync_client=True) as client:
        flow_id = client.create_flow_from_name("overdue")
        now = datetime.now(UTC)
        schedule = IntervalSchedule(
            interval=timedelta(hours=1), anchor_date=now - timedelta(minutes=170)
        )
        deployment = client.create_deployment(
            flow_id, f"hourly-{uuid4()}", schedules=[DeploymentScheduleCreate(schedule=schedule)]
        )
        window = {"start_time": now - timedelta(hours=3), "end_time": now + timedelta(hours=1)}
        asked = {name: time.isoformat() for name, time in window.items()} | {"min_runs": 4}
        client._client.post(f"/deployments/{deployment}/schedule", json=asked).raise_for_status()
        of_it = DeploymentFilter(id=DeploymentFilterId(any_=[deployment]))
        runs = client.read_flow_runs(deployment_filter=of_it)
        # The server itself may have made more that are still to come.
        yield client, sorted(runs, key=lambda run: run.expected_start_time)[:4]
        client.delete_deployment(deployment)


def told(run):
    """What a run is told, and when the one that does its work was due."""
    with pytest.MonkeyPatch.context() as patch:
        context = SimpleNamespace(flow_run=run, flow=None)
        patch.setattr(overdue.FlowRunContext, "get", lambda: context)
        found = superseded()
    if found is None:
        return None
    assert found.startswith(f"this run was due at {run.expected_start_time:%Y-%m-%d %H:%M:%S} UTC")
    return found.partition("was due at ")[2].partition("was due at ")[2][:19]


def at(run):
    return f"{run.expected_start_time:%Y-%m-%d %H:%M:%S}"


@pytest.mark.slow
def test_of_the_runs_that_a_server_scheduled_the_newest_that_is_due_does_the_work(hourly):
    client, (first, second, third, coming) = hourly
    assert coming.expected_start_time > datetime.now(UTC) > third.expected_start_time
    assert [told(run) for run in (first, second, third)] == [at(third), at(third), None]
    assert told(coming) is None
    # One that failed or was cancelled does no work, whichever is the newest.
    client.set_flow_run_state(third.id, State(type=StateType.FAILED), force=True)
    assert [told(run) for run in (first, second, third)] == [at(second), None, None]
    client.set_flow_run_state(second.id, State(type=StateType.CANCELLED), force=True)
    assert told(first) is None
    client.set_flow_run_state(second.id, State(type=StateType.COMPLETED), force=True)
    assert told(first) == at(second)


@pytest.mark.slow
def test_a_run_that_somebody_started_beside_those_of_a_schedule_neither_leaves_nor_replaces(hourly):
    client, (first, second, third, _) = hourly
    mine = client.create_flow_run_from_deployment(first.deployment_id)
    assert not mine.auto_scheduled
    assert told(mine) is None
    assert told(third) is None  # although that one is newer
    assert told(second) == at(third)
