"""Who is promoted, who is not, and what the version tells of it."""

from dataclasses import replace

import pandas as pd
import pytest
from mlflow import MlflowClient

from nettuner.models.data.labelled import Labelled
from nettuner.models.production.verdict import Verdict
from nettuner.tasks.champion import promote as promoting
from nettuner.tasks.champion.compare import NOBODY, Challenger, Comparison
from nettuner.tasks.champion.promote import promote, tags_of
from nettuner.tasks.champion.registry import UnfitError, champion
from nettuner.tasks.champion.versions import Version

ROWS = Labelled(pd.DataFrame({"x": [1.0]}), (1.0,))
# A loss of 0.5 against 0.75; at the worse end of its own interval it is 0.625.
WON = Verdict("loss", "minimize", 0.75, 0.5, 0.25, 0.125, 0.375, 0.0, 0.95, 40, 0.625)
LOST = replace(WON, low=-0.125)
CHALLENGER = Challenger("clouds", "regression", "val_loss", "run-1", {}, "data-1")
CHAMPION = Version("clouds", 7, "run-0", {})
NEW = Version("clouds", 8, "run-1", {})


def comparison(verdict=WON, champion=CHAMPION):
    answers = pd.DataFrame({"prediction": [1.0]})
    return Comparison(CHALLENGER, "models:/m-1", champion, verdict, ROWS, answers, "1", "gate-1")


@pytest.fixture
def registry(monkeypatch):
    """What is asked of the registry, in order; version 7 is the champion."""
    calls = []
    monkeypatch.setattr(promoting.registry, "champion", lambda *_: CHAMPION)

    def register(mlflow, study, model, run_id, tags):
        calls.append(("register", study, model, run_id, dict(tags)))
        return NEW

    def set_champion(mlflow, version, rows, expected):
        calls.append(("champion", version.number))

    monkeypatch.setattr(promoting.registry, "register", register)
    monkeypatch.setattr(promoting.registry, "set_champion", set_champion)
    return calls


def test_who_was_proved_better_is_registered_and_then_becomes_the_champion(registry):
    assert promote(None, comparison(), "an alarm") == NEW
    (what, study, model, run_id, tags), after = registry
    assert (what, study, model, run_id) == ("register", "clouds", "models:/m-1", "run-1")
    assert after == ("champion", 8)
    assert "nettuner.forced" not in tags


def test_who_was_not_proved_better_is_refused_and_nothing_is_registered(registry):
    with pytest.raises(ValueError, match=r"not promoted: challenger against version 7: loss 0\.5"):
        promote(None, comparison(LOST), "an alarm")
    assert registry == []


def test_by_force_it_is_promoted_and_the_version_says_so(registry):
    promote(None, comparison(LOST), "a whim", forced=True)
    assert registry[0][-1]["nettuner.forced"] == "yes: it was not proved better"


def test_force_that_was_not_needed_is_not_told(registry):
    promote(None, comparison(WON), "a whim", forced=True)
    assert "nettuner.forced" not in registry[0][-1]


@pytest.mark.parametrize("compared_with", [None, replace(CHAMPION, number=6)])
def test_a_champion_that_changed_meanwhile_is_not_replaced(registry, compared_with):
    with pytest.raises(UnfitError, match="while version 7 is the champion now; compare anew"):
        promote(None, comparison(champion=compared_with), "", forced=True)
    assert registry == []


@pytest.mark.parametrize(
    ("direction", "tolerance", "threshold"),
    [("minimize", 0.0, 0.625), ("minimize", 0.25, 0.875), ("maximize", 0.25, 0.375)],
)
def test_the_threshold_is_the_worse_end_of_the_interval_plus_the_tolerance(
    direction, tolerance, threshold
):
    found = tags_of(comparison(replace(WON, direction=direction)), "", False, tolerance)
    assert float(found["nettuner.threshold"]) == threshold
    assert found["nettuner.direction"] == direction


def test_the_figures_and_the_reason_are_tags():
    found = tags_of(comparison(), "an alarm", False, 0.0)
    assert found["nettuner.reason"].startswith("an alarm; challenger against version 7: loss 0.5")
    assert found["nettuner.value"] == "0.5"
    assert found["nettuner.gain"] == "0.25 (0.125 to 0.375)"
    assert (found["nettuner.gate_run"], found["nettuner.data"]) == ("gate-1", "data-1")
    assert "runs/run-1" in found["nettuner.search"]
    assert "runs/gate-1" in found["nettuner.gate"]


def test_a_challenger_that_was_compared_with_a_champion_who_is_gone_is_not_promoted(
    registry, monkeypatch
):
    monkeypatch.setattr(promoting.registry, "champion", lambda *_: None)
    with pytest.raises(
        UnfitError, match=rf"compared with version 7 while {NOBODY} is the champion"
    ):
        promote(None, comparison(), "an alarm")
    assert registry == []


def test_the_first_champion_needs_none_before_it(registry, monkeypatch):
    monkeypatch.setattr(promoting.registry, "champion", lambda *_: None)
    promote(None, comparison(champion=None), "an alarm")
    assert registry[1] == ("champion", 8)


def test_without_a_cause_the_verdict_alone_is_the_reason():
    assert tags_of(comparison(), "", False, 0.0)["nettuner.reason"] == comparison().reason


@pytest.mark.slow
def test_in_a_registry_the_promoted_version_is_the_champion_with_all_that_is_known_of_it(
    tmp_path, monkeypatch
):
    address = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)  # of the client that the registry makes
    mlflow = MlflowClient(address)
    experiment = mlflow.create_experiment("clouds", artifact_location=(tmp_path / "kept").as_uri())
    run = mlflow.create_run(experiment).info.run_id
    logged = mlflow.create_logged_model(experiment, name="model", source_run_id=run)
    loaded = []

    def answers(models, rows):
        loaded.append((models, rows))
        return [pd.DataFrame({"prediction": [1.0]})]

    monkeypatch.setattr(promoting.registry, "answers", answers)
    challenger = replace(CHALLENGER, run_id=run)
    first = replace(
        comparison(champion=None), model=f"models:/{logged.model_id}", challenger=challenger
    )
    version = promote(mlflow, first, "an alarm", tolerance=0.25)
    found = champion(mlflow, "clouds")
    assert (found.number, found.run_id) == (version.number, run) == (1, run)
    assert found.tags["nettuner.threshold"] == "0.875"
    assert found.tags["nettuner.reason"].startswith("an alarm; challenger against")
    # It was loaded back from the registry, and answered to the rows that were compared on.
    ((models, rows),) = loaded
    assert models == ["models:/clouds/1"]
    assert rows is ROWS.rows
    # The next one was compared with nobody, or with this one.
    with pytest.raises(UnfitError, match="while version 1 is the champion now"):
        promote(mlflow, first, "again")
    assert promote(mlflow, replace(first, champion=found), "again").number == 2
    assert champion(mlflow, "clouds").number == 2
