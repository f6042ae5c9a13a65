"""After one retuning of a study, none begins for a while."""

import pytest

from nettuner.models.study import Goal, Study
from nettuner.tasks.champion import cool_down
from nettuner.tasks.memory import search_record, store

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def searched(home):
    """The name of a study that was searched, for it has an experiment."""
    study = Study.model_validate(
        {"name": "cooling", "learner": "file.py:f", "space": {"x": [1, 2]}, "metric": "loss"}
    )
    facts = search_record.Facts("random_search", {}, "digest", "", "", frozenset(), None)
    search_record.start_search(store.client(), study, Goal("loss", "minimize"), facts)
    return study.name


@pytest.fixture
def clock(monkeypatch):
    """Seconds since 1970, as the module sees them."""
    now = [1_800_000_000.0]
    monkeypatch.setattr(cool_down.time, "time", lambda: now[0])
    return now


def test_a_study_that_was_never_retuned_or_never_searched_need_not_wait(searched):
    assert cool_down.cooling(store.client(), searched, 60) is None
    assert cool_down.cooling(store.client(), "never-searched", 60) is None


def test_a_study_waits_for_what_is_left_of_the_time(searched, clock):
    mlflow = store.client()
    cool_down.retuned(mlflow, searched)
    clock[0] += 20 * 60
    assert cool_down.cooling(mlflow, searched, 60) == (
        "cooling was retuned 20 minutes ago; the next may begin 40 minutes from now "
        "(cool_down_minutes)"
    )
    assert cool_down.cooling(mlflow, searched, 21) is not None
    assert cool_down.cooling(mlflow, searched, 20) is None  # at the minute it may
    assert cool_down.cooling(mlflow, searched, 0) is None


def test_the_latest_retuning_counts(searched, clock):
    mlflow = store.client()
    cool_down.retuned(mlflow, searched)
    clock[0] += 90 * 60
    cool_down.retuned(mlflow, searched)
    clock[0] += 30 * 60
    assert "30 minutes ago" in (cool_down.cooling(mlflow, searched, 60) or "")
