"""A challenger beside the champion: who must be beaten, and what is recorded of it."""

import json
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient

from nettuner.models.data.labelled import Labelled
from nettuner.tasks.champion import compare as comparing
from nettuner.tasks.champion.compare import NOBODY, Challenger, compare
from nettuner.tasks.champion.registry import Version

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
