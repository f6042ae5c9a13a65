"""The champion in production: what is fine, what degrades, and what cannot be judged is said."""

from __future__ import annotations

import time

import pandas as pd
import pytest
from prefect.client.orchestration import get_client

from nettuner.flows.commands import promotion
from nettuner.flows.monitor import monitor
from nettuner.flows.prefect_runs.events import DEGRADED

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def study(lab, table_search, tmp_path_factory):
    """The study `table` with a champion that is compared on all its rows."""
    path = table_search.study.data.path
    comparison = promotion.compare(
        "table", None, path, None, 1, metric=None, margin=0.0, confidence=0.95, why="a test"
    )
    promotion.promote(comparison, "a test", forced=True, tolerance=0.5)
    return "table"


@pytest.fixture(scope="module")
def table(table_search):
    return pd.read_csv(table_search.study.data.path)


@pytest.fixture
def look(study, tmp_path):
    """Let data come in and check the champion; gives what it found and the state of its run."""

    def check(table=None, **parameters):
        if table is not None:
            table.to_csv(tmp_path / "in.csv", index=False)
        state = monitor(
            study, str(tmp_path / "*.csv"), return_state=True, **{"rows": 20, **parameters}
        )
        return state.result(raise_on_failure=False), state

    return check


def course(lab, url):
    """The run in MLflow that an address leads to."""
    return lab.mlflow.get_run(url.rpartition("/")[2].partition("?")[0])


def test_a_study_without_a_champion_is_said(lab, image_search):
    state = monitor("images", "nothing.csv", return_state=True)
    assert state.result().outcome == "no champion"
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(state.state_details.flow_run_id)
    assert (run.name, run.state_name) == ("images-monitor: no champion", "Completed")
    assert "nettuner promote images" in state.message


def test_no_data_are_said(look):
    found, _ = look()
    assert found.outcome == "no data"


def test_few_rows_say_nothing(look, table):
    found, _ = look(table.head(19))
    assert found.outcome == "too few rows"
    assert "19 rows are too few to judge by, 20 are needed" in found.message


def test_data_as_in_training_are_fine_and_once_only(look, table, lab):
    found, _ = look(table.sample(frac=1, random_state=1))
    assert (found.outcome, found.drifted) == ("fine", [])
    assert found.value <= found.threshold
    run = course(lab, found.url)
    assert run.data.metrics["check/loss"] == pytest.approx(found.value)
    assert run.data.metrics["check/loss_threshold"] == pytest.approx(found.threshold)
    again, _ = look()
    assert again.outcome == "no new data"
    assert course(lab, again.url).data.tags["nettuner.checks"] == run.data.tags["nettuner.checks"]


def test_rows_without_answers_are_checked_for_drift_alone(look, table):
    found, _ = look(table.drop(columns="grade").sample(frac=1, random_state=2))
    assert (found.outcome, found.value) == ("no labels", None)
    drifted, _ = look(table.drop(columns="grade").assign(colour="purple"))
    assert (drifted.outcome, drifted.drifted) == ("degraded", ["colour"])


def test_a_column_that_is_missing_fails_and_is_kept(look, table, lab):
    found, state = look(table.drop(columns="weight"))
    assert state.type == "FAILED"
    assert "the columns weight must be there as in training" in str(found)
    (experiment,) = lab.mlflow.search_experiments(filter_string="name = 'table'")
    (run,) = lab.mlflow.search_runs(
        [experiment.experiment_id], "tags.`nettuner.kind` = 'monitoring'"
    )
    assert "could not be made: the columns weight" in run.data.tags["nettuner.latest_check"]


def events(since):
    """The alarms that the server has of this study."""
    asked = {
        "event": {"name": [DEGRADED]},
        "resource": {"id": ["nettuner.study.table"]},
        "occurred": {"since": since},
    }
    with get_client(sync_client=True) as client:
        answer = client._client.post("/events/filter", json={"filter": asked})
    return answer.json()["events"]


def test_the_alarm_is_raised_when_so_many_checks_in_a_row_are_degraded(look, table, lab):
    began = pd.Timestamp.now("UTC").isoformat()
    wrong = table.assign(grade=table["grade"].map({"high": "low", "low": "high"}))
    fine, _ = look(table.sample(frac=1, random_state=3))
    assert fine.breaches == 0
    first, _ = look(wrong, in_a_row=2)
    assert (first.outcome, first.breaches, first.drifted) == ("degraded", 1, [])
    assert first.value > first.threshold
    same, _ = look(in_a_row=2)
    assert (same.outcome, same.breaches) == ("no new data", 1)
    assert events(began) == []
    second, _ = look(wrong.sample(frac=1, random_state=4), in_a_row=2)
    assert (second.outcome, second.breaches) == ("degraded", 2)
    deadline = time.monotonic() + 20
    while not (found := events(began)) and time.monotonic() < deadline:
        time.sleep(0.3)
    (event,) = found
    assert event["payload"]["study"] == "table"
    assert event["payload"]["newest"] == 1
    assert event["payload"]["value"] == pytest.approx(second.value)
    assert "degraded 2 times in a row" in event["payload"]["reason"]
