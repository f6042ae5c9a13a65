"""What is shipped to be deployed: every flow, its form, its schedules, the automations."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

import pytest
from prefect import Flow
from prefect.events.schemas.automations import AutomationCore
from prefect.utilities.callables import parameter_schema

from nettuner import flows
from nettuner.flows.monitor import monitor
from nettuner.flows.prefect_runs.events import DEGRADED
from nettuner.flows.servers import deployments

SHIPPED = Path(__file__).parents[2] / "deploy" / "prefect.yaml"
GIVEN = deployments.read(SHIPPED)
AUTOMATIONS = deployments.automations(SHIPPED.parent / "automations")


def all_flows():
    """Every flow that is defined at the top of a file of flows/."""
    found = {}
    for module in pkgutil.iter_modules(flows.__path__):
        imported = importlib.import_module(f"nettuner.flows.{module.name}")
        for value in vars(imported).values():
            if isinstance(value, Flow) and value.fn.__module__ == imported.__name__:
                found[value.name] = value
    return found


def test_every_flow_is_deployed():
    assert {given.flow().name for given in GIVEN} == set(all_flows())
    assert {"grid-search", "monitor", "retune", "replay"} <= set(all_flows())


@pytest.mark.parametrize("given", GIVEN, ids=lambda given: f"{given.entrypoint}-{given.name}")
def test_a_deployment_fills_in_what_its_flow_needs_and_no_more(given):
    schema = parameter_schema(given.flow())
    assert set(schema.required) <= set(given.parameters) <= set(schema.properties)
    assert given.concurrency_limit.limit == 1
    assert given.deployment().name == given.name


@pytest.mark.parametrize("name", sorted(all_flows()))
def test_every_parameter_is_described_in_the_form(name):
    fields = parameter_schema(all_flows()[name]).properties
    assert [field for field, facts in fields.items() if not facts.get("description")] == []


@pytest.mark.parametrize("name", sorted(all_flows()))
def test_a_study_is_a_line_of_text_in_the_form(name):
    assert parameter_schema(all_flows()[name]).properties["study"]["type"] == "string"


def test_what_is_scheduled_waits_in_line_so_that_the_newest_does_what_was_missed():
    scheduled = [given for given in GIVEN if given.schedules]
    assert len(scheduled) == 2
    for given in scheduled:
        assert given.concurrency_limit.collision_strategy == "ENQUEUE"
        assert all(schedule.timezone == "Europe/Berlin" for schedule in given.schedules)


def test_an_alarm_starts_the_retuning_of_its_study_with_what_it_tells():
    (given,) = AUTOMATIONS
    (action,) = given["actions"]
    assert given["trigger"]["expect"] == [DEGRADED]
    flow, _, name = action["deployment"].partition("/")
    (retune,) = [one for one in GIVEN if one.flow().name == flow and one.name == name]
    assert set(action["parameters"]) <= set(parameter_schema(retune.flow()).properties)
    told = {**action, "deployment_id": "4fc14fd8-6a44-4ec7-88f0-81e9b153a049"}
    told.pop("deployment")
    automation = AutomationCore.model_validate({**given, "actions": [told]})
    assert automation.trigger.match.root == {"prefect.resource.id": f"nettuner.study.{name}"}


def test_studies_of_deployments_come_with_them():
    from nettuner.tasks.named_study import study_file

    named = {given.parameters["study"] for given in GIVEN}
    files = [study for study in named if study.endswith(".yaml")]
    assert sorted(files) == ["breast-cancer.yaml", "digits.yaml"]
    assert all(study_file(study).parent.name == "studies" for study in files)


BAD = {
    "deployments: []": "must have deployments, got none",
    "[]": "must be a mapping, got list",
    "deployments: [{name: x}]": "entrypoint",
    "a: [": "must be a YAML file",
}


@pytest.mark.parametrize("text", BAD)
def test_a_file_that_is_not_right_is_refused(text, tmp_path):
    path = tmp_path / "prefect.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=BAD[text]):
        deployments.read(path)


@pytest.mark.parametrize(
    "entrypoint", ["flows/nothing.py:x", "flows/monitor.py:x", "flows/monitor.py"]
)
def test_an_entrypoint_that_names_no_flow_is_refused(entrypoint):
    given = deployments.DeploymentGiven(name="x", entrypoint=entrypoint)
    with pytest.raises(ValueError, match="an entrypoint must name a flow"):
        given.flow()


def test_an_entrypoint_of_before_the_package_still_leads_to_its_flow():
    given = deployments.DeploymentGiven(name="x", entrypoint="flows/monitor.py:monitor")
    assert given.flow() is monitor


def test_an_entrypoint_may_be_a_module():
    given = deployments.DeploymentGiven(name="x", entrypoint="nettuner.flows.monitor:monitor")
    assert given.flow() is monitor


def test_a_flow_of_ones_own_in_a_folder_of_that_name_is_found(tmp_path, monkeypatch):
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "__init__.py").touch()
    (tmp_path / "flows" / "nightly.py").write_text(
        "from prefect import flow\n\n\n@flow\ndef nightly():\n    return 1\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "modules", {**sys.modules})
    sys.modules.pop("flows", None)
    given = deployments.DeploymentGiven(name="x", entrypoint="flows/nightly.py:nightly")
    assert given.flow().name == "nightly"


@pytest.mark.parametrize("given", [{}, {"cron": "0 3 * * *", "interval": 5}])
def test_a_schedule_has_a_cron_or_an_interval(given):
    with pytest.raises(ValueError, match="a schedule needs cron or interval"):
        deployments.ScheduleGiven(**given).schedule()
