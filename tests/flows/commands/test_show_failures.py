"""`nettuner trials --failed`: who failed, why, and one traceback."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from nettuner.flows.cli import app

pytestmark = pytest.mark.slow


def call(*words):
    done = CliRunner().invoke(app, list(words))
    return done.exit_code, done.stdout, done.stderr


def failed(searched):
    return {
        trial.proposal.params["how"]: trial
        for trial in searched.result.trials
        if not trial.succeeded
    }


def test_every_failed_trial_has_its_reason_and_the_last_one_its_traceback(grid_search, lab):
    trials = failed(grid_search)
    assert sorted(trials) == ["exit", "nan", "raise", "sleep"]
    status, said, _ = call("trials", "grid", "--failed")
    assert status == 0
    for trial in trials.values():
        assert trial.reason in said
    last = max(trials.values(), key=lambda trial: (trial.ended, trial.number))
    name = grid_search.result.name
    assert f"trial {last.number} of {name}: {last.reason}\n" in said


def test_a_trial_is_chosen_by_its_number(grid_search, lab):
    trials = failed(grid_search)
    _, said, _ = call("trials", "grid", "--failed", "--trial", str(trials["raise"].number))
    shown = said[said.index(f"trial {trials['raise'].number} of") :]
    assert "Traceback (most recent call last)" in shown
    assert 'raise ArithmeticError("x is not to my liking")' in shown
    _, said, _ = call("trials", "grid", "--failed", "--trial", str(trials["sleep"].number))
    assert said.endswith("no traceback of it was recorded\n")


def test_as_json_each_is_an_object_with_its_reason(grid_search, lab):
    status, said, _ = call("trials", "grid", "--failed", "--json")
    assert status == 0
    told = {row["how"]: row["failed"] for row in json.loads(said)}
    assert told == {how: trial.reason for how, trial in failed(grid_search).items()}


def test_a_number_that_is_not_of_a_failed_trial_is_refused(grid_search, lab):
    (fine,) = [trial for trial in grid_search.result.trials if trial.succeeded]
    for words in (["--failed", "--trial", str(fine.number)], ["--trial", "0"]):
        status, said, complaint = call("trials", "grid", *words)
        assert (status, said, len(complaint.splitlines())) == (2, "", 1)


def test_a_search_without_failures_says_so(random_search, lab):
    status, said, _ = call("trials", "random", "--failed")
    assert (status, said) == (0, f"no trial of {random_search.result.name} has failed\n")
