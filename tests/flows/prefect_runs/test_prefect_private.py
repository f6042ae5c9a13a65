"""The private parts of Prefect that are used, each as it is relied on."""

import inspect
import os
import subprocess
import sys

import pytest
from httpx import HTTPStatusError, Request, Response
from prefect import flow, task
from prefect.events import emit_event

from nettuner.flows.prefect_runs import prefect_private as private


def printed(script, environment=None):
    """What a script prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def refusal(status):
    error = private.ConcurrencySlotAcquisitionError("no place")
    request = Request("POST", "http://127.0.0.1/increment")
    error.__cause__ = HTTPStatusError("", request=request, response=Response(status))
    return error


@pytest.mark.parametrize(("status", "taken"), [(423, True), (500, False), (429, False)])
def test_a_place_is_taken_only_if_the_server_says_so(status, taken):
    assert private.is_taken(refusal(status)) is taken


def test_a_slow_server_has_not_said_that_a_place_is_taken():
    assert not private.is_taken(private.ConcurrencySlotAcquisitionError("timed out"))


def test_settings_are_read_again_when_prefect_was_imported_before():
    script = (  # in a process of its own: here, tests hold settings of theirs
        "import os, prefect\n"
        "from prefect.settings import get_current_settings\n"
        "from nettuner.flows.prefect_runs.prefect_private import read_settings_again\n"
        "os.environ['PREFECT_RUNNER_POLL_FREQUENCY'] = '17'\n"
        "before = get_current_settings().runner.poll_frequency\n"
        "read_settings_again()\n"
        "print(before, get_current_settings().runner.poll_frequency)\n"
    )
    asked = {k: v for k, v in os.environ.items() if k != "PREFECT_RUNNER_POLL_FREQUENCY"}
    assert printed(script, asked) == "10 17\n"


def test_a_server_is_used_without_heartbeats_until_settings_are_read_again():
    script = (
        "from prefect.settings import get_current_settings as now\n"
        "from nettuner.flows.prefect_runs.prefect_private import *\n"
        "import prefect.context\n"
        "usual = now().api.url, now().flows.heartbeat_frequency\n"
        "use_server('http://127.0.0.1:4321')\n"
        "print(now().api.url, now().ui_url, now().flows.heartbeat_frequency)\n"
        "read_settings_again()\n"
        "print((now().api.url, now().flows.heartbeat_frequency) == usual)\n"
    )
    others = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    others["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] = "33"
    first, second = printed(script, others).splitlines()
    assert (first, second) == ("http://127.0.0.1:4321/api http://127.0.0.1:4321 None", "True")


def test_logging_is_set_up_anew_for_the_streams_of_a_process_that_was_forked():
    script = (
        "import io, logging, os, sys\n"
        "from prefect.logging.configuration import setup_logging\n"
        "from nettuner.flows.prefect_runs.prefect_private import forget_logging\n"
        "setup_logging()\n"
        "sys.stderr = io.StringIO()\n"
        "setup_logging()\n"
        "logging.getLogger('prefect').error('to the old stream')\n"
        "old = sys.stderr.getvalue()\n"
        "forget_logging()\n"
        "setup_logging()\n"
        "logging.getLogger('prefect').error('to the new stream')\n"
        "print(repr(old), 'to the new stream' in sys.stderr.getvalue())\n"
    )
    others = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    assert printed(script, others) == "'' True\n"


def test_processes_that_are_forked_after_a_flow_has_run_end_well():
    script = (  # in a process of its own: here, a flow may have run or not
        "import multiprocessing\n"
        "from prefect.events.clients import AssertingEventsClient\n"
        "from prefect.events.worker import EventsWorker\n"
        "import nettuner.flows.prefect_runs.prefect_private\n"
        "EventsWorker.instance(AssertingEventsClient)\n"
        "child = multiprocessing.get_context('fork').Process(target=int)\n"
        "child.start()\n"
        "child.join()\n"
        "print(child.exitcode)\n"
    )
    assert printed(script) == "0\n"


def test_the_server_of_one_command_is_told_so_as_prefect_tells_its_own():
    from prefect.server.api.server import SubprocessASGIServer

    source = inspect.getsource(SubprocessASGIServer)
    assert all(f'"{name}": "{value}"' in source for name, value in private.EPHEMERAL.items())


def test_the_application_of_the_server_is_made_without_further_arguments():
    from prefect.server.api.server import create_app

    parameters = inspect.signature(create_app).parameters
    assert parameters["final"].default is False
    assert all(p.default is not p.empty for p in parameters.values())


@pytest.mark.slow
@pytest.mark.usefixtures("lab")
def test_events_are_with_the_server_when_they_are_drained():
    event = emit_event("nettuner.test", resource={"prefect.resource.id": "nettuner.test"})
    assert event is not None
    private.drain_events()
    emit_event("nettuner.test", resource={"prefect.resource.id": "nettuner.test"})
    private.drain_events()  # and again: a drained worker is replaced by a new one


@pytest.mark.slow
@pytest.mark.usefixtures("lab")
def test_a_task_gets_its_argument_as_it_is():
    given = {"a": [1, 2]}

    @task
    def same(value):
        return value is given

    @flow
    def asks():
        return same.submit(private.plain(given)).result()

    assert asks()
