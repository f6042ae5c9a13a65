"""A challenger beside the champion: who must be beaten, and what is recorded of it."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient

from nettuner.models.data.labelled import Labelled
from nettuner.tasks.champion import compare as comparing
from nettuner.tasks.champion.compare import NOBODY, Challenger, compare
from nettuner.tasks.champion.versions import Version

pytestmark = pytest.mark.slow

# Forty rows, of which a quarter is "b".
TRUTH = tuple("aaab" * 10)
ROWS = Labelled(pd.DataFrame({"x": range(40)}), TRUTH)
CHALLENGER = Challenger("clouds", "classification", "val_accuracy", "run-1", {"x": {}}, "data-1")
CHAMPION = Version("clouds", 7, "run-0", {})


def answered(right):
    """Answers of a model that is right on the first so many rows."""
    return pd.DataFrame({"prediction": [*TRUTH[:right], *["?"] * (40 - right)]})


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    client.create_experiment("clouds", artifact_location=(folder / "artifacts").as_uri())
    return client


@pytest.fixture
def held(mlflow, monkeypatch):
    """Compare models that are right on so many rows; without a champion where that is None."""

    def held(challenger, champion=None, rows=ROWS, **more):
        found = [
            answered(right)[: len(rows)] for right in (champion, challenger) if right is not None
        ]
        monkeypatch.setattr(comparing, "answers", lambda models, rows: found)
        monkeypatch.setattr(comparing.registry, "model_of", lambda *_: "models:/m-1")
        known = None if champion is None else CHAMPION
        monkeypatch.setattr(comparing.registry, "champion", lambda *_: known)
        given = {"margin": 0.0, "confidence": 0.95, "why": "a test", **more}
        return compare(mlflow, CHALLENGER, rows, **given)

    return held


def test_without_a_champion_the_best_constant_answer_must_be_beaten(held):
    # Always "a" is right in 30 of 40 rows.
    good, poor = held(40), held(30)
    assert (good.verdict.champion, good.verdict.challenger) == (0.75, 1.0)
    assert good.verdict.passed
    assert not poor.verdict.passed
    assert good.reason.startswith(f"challenger against {NOBODY}: accuracy 1 against 0.75")
    assert good.champion is None


def test_with_a_champion_its_answers_must_be_beaten(held):
    better, worse = held(38, champion=20), held(20, champion=38)
    assert (better.verdict.champion, better.verdict.challenger) == (0.5, 0.95)
    assert (better.verdict.passed, worse.verdict.passed) == (True, False)
    assert better.verdict.gain == pytest.approx(0.45)
    assert better.reason.startswith("challenger against version 7: ")


def test_a_margin_may_demand_more_than_there_is(held):
    assert not held(38, champion=20, margin=0.5).verdict.passed


def test_everything_about_it_is_recorded(held, mlflow, tmp_path):
    found = held(38, champion=20, margin=0.1)
    run = mlflow.get_run(found.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {
        "against": "version 7",
        "metric": "accuracy",
        "margin": "0.1",
        "confidence": "0.95",
        "rows": "40",
    }
    assert run.data.metrics["champion_accuracy"] == 0.5
    assert run.data.metrics["challenger_accuracy"] == 0.95
    assert run.data.metrics["gain_low"] == pytest.approx(found.verdict.low)
    tags = run.data.tags
    assert (tags["nettuner.kind"], tags["nettuner.challenger"]) == ("gate", "run-1")
    assert tags["nettuner.data_fingerprint"] == "data-1"
    assert "**proved better** than version 7" in tags["mlflow.note.content"]
    assert tags["mlflow.note.content"].endswith("Why: a test")
    kept = {
        name: json.loads(Path(mlflow.download_artifacts(found.run_id, name, tmp_path)).read_text())
        for name in ("verdict.json", "reference.json")
    }
    assert kept["verdict.json"]["passed"] is True
    assert kept["reference.json"] == {"x": {}}


def test_models_may_be_compared_by_another_metric_that_answers_tell(held):
    with pytest.raises(ValueError, match="models are compared by what they answer"):
        held(38, champion=20, metric="val_frechet")
    assert held(38, champion=20, metric="accuracy").verdict.metric == "accuracy"


def test_too_few_rows_are_refused(held):
    few = Labelled(ROWS.rows[:19], TRUTH[:19])
    with pytest.raises(ValueError, match="at least 20 rows that neither model has seen, got 19"):
        held(19, champion=10, rows=few)


def test_what_was_not_proved_better_is_recorded_as_such(held, mlflow, tmp_path):
    found = held(20, champion=38)
    run = mlflow.get_run(found.run_id)
    assert "**not proved better** than version 7" in run.data.tags["mlflow.note.content"]
    assert run.data.tags["nettuner.against"] == "version 7"
    path = mlflow.download_artifacts(found.run_id, "verdict.json", tmp_path)
    kept = json.loads(Path(path).read_text())
    assert (kept["passed"], kept["champion"], kept["challenger"]) == (False, 0.95, 0.5)


def test_the_gain_and_its_interval_are_metrics(held, mlflow):
    found = held(38, champion=20)
    metrics = mlflow.get_run(found.run_id).data.metrics
    # Right on 38 rows instead of 20, of 40: 18 / 40, with 1.96 times sqrt(0.45 * 0.55 / 40) =
    # 0.15 on either side.
    assert metrics["gain"] == pytest.approx(0.45)
    assert metrics["gain_low"] == pytest.approx(0.30, abs=0.03)
    assert metrics["gain_high"] == pytest.approx(0.60, abs=0.03)


@pytest.mark.parametrize(("metric", "constant"), [("val_mae", 1.0), ("val_rmse", 3**0.5)])
def test_the_best_constant_answer_is_the_best_of_the_metric(mlflow, monkeypatch, metric, constant):
    # Thirty zeros and ten fours. Always the median, 0, is off by 40 / 40; always the mean, 1, has
    # a mean squared error of (30 * 1 + 10 * 9) / 40.
    rows = Labelled(pd.DataFrame({"x": range(40)}), (0.0,) * 30 + (4.0,) * 10)
    answers = pd.DataFrame({"prediction": list(rows.truth)})
    monkeypatch.setattr(comparing, "answers", lambda models, rows: [answers])
    monkeypatch.setattr(comparing.registry, "model_of", lambda *_: "models:/m-1")
    challenger = replace(CHALLENGER, task="regression", metric=metric)
    found = compare(mlflow, challenger, rows, margin=0.0, confidence=0.95, why="")
    assert found.verdict.champion == pytest.approx(constant)


def test_the_champion_of_the_study_and_the_model_of_the_run_are_asked(mlflow, monkeypatch):
    """With a registry: the champion is of another run, and a later version has no alias."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow.tracking_uri)  # the registry's own client
    experiment = mlflow.get_experiment_by_name("clouds").experiment_id
    models = {}
    mlflow.create_registered_model("clouds")
    for number in ("1", "2", "3"):
        run = mlflow.create_run(experiment).info.run_id
        logged = mlflow.create_logged_model(experiment, name="model", source_run_id=run)
        models[number] = run, f"models:/{logged.model_id}"
        if number != "3":
            address = models[number][1]
            mlflow.create_model_version("clouds", address, run, model_id=logged.model_id)
    mlflow.set_registered_model_alias("clouds", "champion", "1")
    challenger, address = models["3"]
    known = {"models:/clouds/1": answered(20), address: answered(38)}
    asked = []

    def answers(models, rows):
        asked.append(rows)
        return [known[model] for model in models]

    monkeypatch.setattr(comparing, "answers", answers)
    given = {"margin": 0.0, "confidence": 0.95, "why": ""}
    found = compare(mlflow, replace(CHALLENGER, run_id=challenger), ROWS, **given)
    assert (found.verdict.champion, found.verdict.challenger) == (0.5, 0.95)
    assert (found.champion.number, found.champion.run_id) == (1, models["1"][0])
    assert found.model == address
    assert found.answered is known[address]
    assert len(asked) == 1
    assert asked[0] is found.held_out.rows is ROWS.rows
    # Without a champion, it alone is asked.
    mlflow.delete_registered_model_alias("clouds", "champion")
    alone = compare(mlflow, replace(CHALLENGER, run_id=challenger), ROWS, **given)
    assert (alone.champion, alone.verdict.champion, alone.verdict.challenger) == (None, 0.75, 0.95)
    assert alone.answered is known[address]
