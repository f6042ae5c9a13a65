"""Commands with `--json`: one document on standard output that says what the text says."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from nettuner.flows.cli import app
from nettuner.flows.commands.as_json import of_result
from nettuner.flows.commands.show_json import of_table, show_json
from nettuner.flows.engine.search import SearchResult
from nettuner.models.study import Proposal, Study, Trial
from nettuner.tasks.plan import make_plan


def answer(*words):
    done = CliRunner().invoke(app, [*map(str, words), "--json"])
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def test_what_json_has_no_number_for_is_null(capsys):
    show_json({"a": [math.nan, np.float64(0.5), np.int64(3)], "b": (-math.inf, "é", None)})
    assert json.loads(capsys.readouterr().out) == {"a": [None, 0.5, 3], "b": [None, "é", None]}


def test_a_row_of_a_table_is_an_object():
    table = pd.DataFrame({"trial": [1, 2], "loss": [0.5, None], "why": [None, "diverged"]})
    assert of_table(table) == [
        {"trial": 1, "loss": 0.5, "why": None},
        {"trial": 2, "loss": None, "why": "diverged"},
    ]


def test_a_result_has_its_metric_as_people_see_it():
    study = Study.model_validate(
        {"name": "best", "learner": "mlp", "data": "iris", "space": {"hidden": [4, 8]},
         "metric": "val_accuracy", "epochs": 3, "stop": {"trials": 2}}
    )  # fmt: skip
    trials = [Trial(Proposal(0, {"hidden": 4}), -0.75), Trial(Proposal(1, {"hidden": 8}), None)]
    result = SearchResult("s", "run", "url", trials, trials[0], {"test_loss": 0.5}, "why")
    found = of_result(result, make_plan(study, "study.yaml"))
    assert found["best"]["value"] == 0.75
    assert found["best"]["hyperparameters"] == {"hidden": 4}
    assert (found["trials"], found["failed"], found["test"]) == (2, 1, {"test_loss": 0.5})


@pytest.mark.slow
def test_trials_and_comparison_are_the_tables(lab, random_search):
    trials = random_search.result.trials
    best = min(trials, key=lambda trial: trial.score)
    found = answer("trials", "random")
    assert len(found) == len(trials)
    assert found[0]["trial"] == best.number
    assert found[0]["loss"] == pytest.approx(best.score)
    (row,) = answer("compare", "random")
    assert row["strategy"] == "random_search"
    assert row["best loss"] == pytest.approx(best.score)


@pytest.mark.slow
def test_studies_are_listed_with_their_best(lab, random_search):
    best = min(trial.score for trial in random_search.result.trials)
    found = {study["study"]: study for study in answer("studies")}
    told = found["random"]
    assert (told["searches"], told["strategies"], told["metric"]) == (1, "random_search", "loss")
    assert (told["status"], told["by"]) == ("finished", random_search.result.name)
    assert told["best"] == pytest.approx(best)
