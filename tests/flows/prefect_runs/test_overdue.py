"""A run that was missed leaves where a later one of its schedule does the same work."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun, State, StateType

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


@pytest.mark.parametrize("state", overdue.WITHOUT_RESULT)
def test_a_later_run_without_a_result_does_not(inside, state):
    assert inside(due(0), due(10, state))[0] is None


def test_later_runs_that_somebody_started_do_not(inside):
    assert inside(due(0), due(10, scheduled=False))[0] is None


def test_a_run_is_not_superseded_by_itself_or_by_earlier_ones(inside):
    run = due(10)
    assert inside(run, run, due(0), due(10 + 0.5 / 60))[0] is None  # due to the second
