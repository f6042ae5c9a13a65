"""The experiment of a study is found, or made once."""

from __future__ import annotations

import pytest

from nettuner.models.study import Goal, Study
from nettuner.tasks.memory.experiment import experiment_of

pytestmark = pytest.mark.slow

GOAL = Goal("loss", "minimize")


def study(name):
    space = {"x": {"distribution": "uniform", "low": 0, "high": 1}}
    return Study(name=name, learner="file.py:f", space=space, metric="loss")


@pytest.fixture
def away(mlflow, monkeypatch, tmp_path):
    """A store that is the home's; its client may be asked for nothing."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow.tracking_uri)
    monkeypatch.setenv("NETTUNER_HOME", str(tmp_path))

    class Away:
        tracking_uri = mlflow.tracking_uri

    return Away()


def test_an_experiment_in_a_file_is_found_without_a_client(mlflow, away):
    known = mlflow.get_experiment_by_name("x").experiment_id
    assert experiment_of(away, study("x"), GOAL) == known


def test_one_that_is_not_there_is_made_once(mlflow, away):
    made = experiment_of(mlflow, study("new"), GOAL)
    assert mlflow.get_experiment(made).name == "new"
    assert experiment_of(away, study("new"), GOAL) == made


def test_one_that_was_deleted_is_refused(mlflow, away):
    mlflow.delete_experiment(experiment_of(mlflow, study("gone"), GOAL))
    with pytest.raises(ValueError, match="the experiment 'gone' was deleted in MLflow; restore it"):
        experiment_of(away, study("gone"), GOAL)
