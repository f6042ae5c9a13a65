"""However a search ends, its report is written beside it, by a process that it leaves behind."""

from __future__ import annotations

import time

import pytest

from nettuner.flows.engine import leave_report
from nettuner.tasks.report.html import keep


def report_of(lab, run_id, seconds=120):
    """The report among the artifacts of a search, once it is there."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if keep.NAME in [file.path for file in lab.mlflow.list_artifacts(run_id)]:
            break
        time.sleep(0.5)
    with open(lab.mlflow.download_artifacts(run_id, keep.NAME), encoding="utf-8") as file:
        return file.read()


@pytest.fixture
def unhindered(monkeypatch):
    """The other tests of this session leave nothing behind."""
    monkeypatch.setattr(leave_report, "keep_later", keep.keep_later)


@pytest.mark.slow
@pytest.mark.usefixtures("unhindered")
def test_a_search_leaves_its_report_among_its_artifacts(lab):
    study = lab.function_study("left", stop={"trials": 2}, seed=5)
    result = lab.quick_search(study)
    text = report_of(lab, result.run_id)
    assert f"Trial {result.best.number} won, with a loss of " in text
    assert ", after 2 trials, none of which failed." in text
    assert "status: <b>finished</b>" in text


@pytest.mark.slow
def test_an_interrupted_search_is_reported_once_its_record_is_closed(lab, monkeypatch):
    told = []

    def note(run_id):
        told.append((run_id, lab.mlflow.get_run(run_id).info.status))

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(leave_report, "keep_later", note)
    monkeypatch.setattr("nettuner.flows.engine.search.Engine.settle", interrupt)
    with pytest.raises(KeyboardInterrupt):
        lab.search(lab.function_study("cut-short", stop={"trials": 3}, seed=5))
    (past,) = lab.past("cut-short")
    assert told == [(past.run_id, "KILLED")]
    keep.keep(past.run_id)
    text = report_of(lab, past.run_id, seconds=0.1)
    assert "status: <b>interrupted</b>" in text


@pytest.mark.slow
def test_a_search_does_not_fail_where_no_report_can_be_begun(lab, monkeypatch):
    def fail(run_id):
        raise OSError("no more processes")

    monkeypatch.setattr(leave_report, "keep_later", fail)
    assert lab.quick_search(lab.function_study("alone", stop={"trials": 1}, seed=5)).best
