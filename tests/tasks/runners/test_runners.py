"""Runners are the files that there are; one that cannot be had says how to have it."""

from __future__ import annotations

import sys
import time

import pytest
from pydantic import ValidationError

from nettuner.models.study import Study
from nettuner.models.study_file import StudyError
from nettuner.tasks import runners
from nettuner.tasks.cluster.runner import RunnerError
from nettuner.tasks.plan import make_plan

OTHERS = [name for name in runners.names() if name != "local"]
# What each needs beside nettuner.
PACKAGES = {"dask": "distributed", "ray": "ray"}


def study(**changes):
    given = {"name": "s", "learner": "mlp", "data": "iris", "space": {"hidden": [2, 4]}}
    return Study.model_validate({**given, "metric": "val_loss", "epochs": 1, **changes})


def test_local_is_the_first_and_the_others_are_files():
    assert runners.names() == ["local", "dask", "ray"]


@pytest.mark.parametrize("name", OTHERS)
def test_a_runner_that_is_not_installed_is_one_line(name, monkeypatch):
    monkeypatch.delitem(sys.modules, f"nettuner.tasks.runners.{name}", raising=False)
    monkeypatch.setitem(sys.modules, PACKAGES[name], None)
    with pytest.raises(RunnerError) as refusal:
        runners.connected(study(runner=name), 1)
    needs = f"{name} needs the package {PACKAGES[name]}, got none of that name"
    assert str(refusal.value) == f"{needs}; pip install 'nettuner[{name}]'"


def test_an_unknown_runner_is_refused_before_anything_is_loaded():
    with pytest.raises(StudyError) as refusal:
        make_plan(study(runner="slurm"), fit=lambda _: pytest.fail("loaded"))
    (line,) = refusal.value.lines
    must = "study: runner: must be one of local, dask, ray, got 'slurm'"
    assert line == f"{must}; give one of them"


def test_a_study_that_names_none_is_trained_here():
    assert study().runner.is_local
    assert study(runner="local") == study()


def test_a_study_that_is_written_with_all_its_defaults_is_read_again():
    assert Study.model_validate(study().model_dump(mode="json")) == study()


@pytest.mark.slow
@pytest.mark.parametrize("cpus", [0.5, 1.5])
def test_a_started_cluster_has_room_for_trials_that_take_no_whole_cpus(cpus):
    runner = runners.connected(study(runner={"name": "dask", "cpus": cpus}), 1)
    try:
        deadline = time.monotonic() + 60
        while not (machines := runner.machines()) and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        runner.close()
    assert list(machines.values()) == [{0.5: 2, 1.5: 1}[cpus]]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"runner": {"cpus": 2}}, "a local runner has no settings, got cpus"),
        ({"runner": {"name": "dask", "cpus": 0}}, "greater than 0"),
        ({"runner": {"name": "dask", "gpu": 1}}, "Extra inputs are not permitted"),
        ({"runner": "dask", "device": "cuda"}, "got cuda beside gpus=0; drop device"),
        ({"runner": "dask", "per_device": 2}, "got 2 beside the runner dask; give runner.gpus"),
        ({"runner": "dask", "devices": [0]}, "got .0. beside the runner dask; give runner.gpus"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(given, told):
    with pytest.raises(ValidationError, match=told):
        study(**given)


def test_gpus_may_be_named_by_their_kind():
    assert study(runner={"name": "ray", "gpus": 0.5}, device="cuda").runner.gpus == 0.5


def test_where_trials_run_does_not_change_what_they_are():
    here, there = (make_plan(study(stop={"trials": 2}, **r)) for r in ({}, {"runner": "dask"}))
    assert here.digest == there.digest
    assert there.accelerators == ()
