"""Who is promoted, who is not, and what the version tells of it."""

from dataclasses import replace

import pandas as pd
import pytest

from nettuner.models.data.labelled import Labelled
from nettuner.models.production.verdict import Verdict
from nettuner.tasks.champion import promote as promoting
from nettuner.tasks.champion.compare import Challenger, Comparison
from nettuner.tasks.champion.promote import promote, tags_of
from nettuner.tasks.champion.registry import UnfitError, Version

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
