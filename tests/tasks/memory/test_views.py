"""Saved views of an experiment: what MLflow's page reads, with filters that its store takes."""

from __future__ import annotations

import base64
import json
import zlib

import pytest

from nettuner.models.study import Goal, Study
from nettuner.tasks.memory.experiment import experiment_of
from nettuner.tasks.memory.views import PREFIX, saved_views, searched

LOSS, ACCURACY = Goal("val_loss", "minimize"), Goal("val_accuracy", "maximize")


def states(views):
    """Each view as MLflow's page unpacks it; raises where that refuses it."""
    found = {}
    for key, value in views.items():
        view = json.loads(value)
        assert isinstance(view["name"], str)
        assert isinstance(view["createdAt"], int)  # a text is refused: the page shows its own state
        kind, packed = view["state"].split(";")
        assert kind == "deflate"
        found[key.removeprefix(PREFIX)] = json.loads(zlib.decompress(base64.b64decode(packed)))
    return found


def test_there_are_searches_trials_and_charts():
    found = states(saved_views(LOSS, ["hidden"]))
    assert list(found) == ["searches", "trials", "charts"]
    assert found["searches"]["selectedColumns"][:3] == [
        "metrics.`best_val_loss`",
        "metrics.`test_loss`",
        "tags.`best.hidden`",
    ]
    assert found["trials"]["selectedColumns"][:2] == ["metrics.`val_loss`", "params.`hidden`"]


@pytest.mark.parametrize(("goal", "ascending"), [(LOSS, True), (ACCURACY, False)])
def test_the_best_is_on_top(goal, ascending):
    for state in states(saved_views(goal, ["hidden"])).values():
        assert state["orderByAsc"] is ascending


def test_every_searched_hyperparameter_is_drawn_against_the_metric():
    charts = states(saved_views(LOSS, ["a", "b"]))["charts"]["compareRunCharts"]
    assert [chart["type"] for chart in charts] == ["PARALLEL", "LINE", "SCATTER", "SCATTER"]
    assert charts[0]["selectedParams"] == ["a", "b"]
    assert [chart["xaxis"]["key"] for chart in charts[2:]] == ["a", "b"]


def test_an_experiment_has_its_views_and_its_store_takes_their_filters(mlflow):
    study = Study.model_validate(
        {"name": "viewed", "learner": "mlp", "data": "wine", "metric": "val_loss", "epochs": 1,
         "space": {"hidden": [4, 8], "dropout": 0.1}}
    )  # fmt: skip
    assert searched(study) == ["hidden"]
    made = experiment_of(mlflow, study, LOSS)
    tags = mlflow.get_experiment(made).tags
    views = {key: value for key, value in tags.items() if key.startswith(PREFIX)}
    for tag, expected in (
        ({"nettuner.kind": "search"}, "searches"),
        ({"nettuner.search": "s"}, "trials"),
    ):
        run = mlflow.create_run(made, tags=tag).info.run_id
        state = states(views)[expected]
        way = "ASC" if state["orderByAsc"] else "DESC"
        found = mlflow.search_runs(
            [made], state["searchFilter"], order_by=[f"{state['orderByKey']} {way}"]
        )
        assert [each.info.run_id for each in found] == [run]
