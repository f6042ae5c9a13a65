"""The winner's model: what it answers here, it answers wherever MLflow and torch are."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from textwrap import dedent
from typing import Any

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits

from nettuner.models import learners
from nettuner.models.answers import from_plain
from nettuner.models.data.load import load
from nettuner.models.training import checkpoint
from nettuner.models.training.batches import tensors
from nettuner.models.training.job import Job
from nettuner.models.training.loop import facts, measure
from nettuner.models.training.trial import run
from nettuner.tasks.memory import recall
from nettuner.tasks.memory.tags import ANSWERED
from nettuner.tasks.plan import make_plan

pytestmark = pytest.mark.long


@dataclass(frozen=True)
class Served:
    """A logged model, and the same winner trained again here."""

    path: str
    rows: Any
    answers: pd.DataFrame
    test: dict[str, float]
    recorded_test: dict[str, float]


def serve(search, lab, rows, folder):
    """Find the model of a search, and ask the network itself what it says to some raw rows."""
    recorded = lab.mlflow.get_run(search.result.run_id)
    found = lab.mlflow.search_logged_models(experiment_ids=[recorded.info.experiment_id])
    (logged,) = [model for model in found if model.source_run_id == recorded.info.run_id]
    study, winner = search.study, search.result.best
    state = folder / "state.safetensors"
    goal = make_plan(study).goal
    outcome = run(Job(study, goal, winner.proposal, folder / "log.jsonl", end=state))
    assert outcome.score == pytest.approx(winner.score, rel=1e-6)
    dataset = load(study.data)
    learner = learners.find(study.learner)(facts(dataset))
    networks = learner.networks(winner.proposal.params)
    checkpoint.load(state, networks, {})
    test = measure(learner, networks, tensors(dataset.test), "test")
    with torch.no_grad():
        inputs = torch.from_numpy(dataset.preprocessing.transform(rows))
        outputs = learner.predictor(networks)(inputs)
    answers = dataset.preprocessing.answer(outputs.numpy())
    place = logged.artifact_location.removeprefix("file://")
    return Served(place, rows, answers, test, search.result.test)


def table_rows(search):
    """All rows of the table, as pandas reads them."""
    return pd.read_csv(search.study.data.path).drop(columns="grade")


@pytest.fixture(scope="module")
def table(table_search, lab, tmp_path_factory):
    folder = tmp_path_factory.mktemp("table")
    return serve(table_search, lab, table_rows(table_search), folder)


@pytest.fixture(scope="module")
def images(image_search, lab, tmp_path_factory):
    rows = load_digits().images.astype(np.float32)
    return serve(image_search, lab, rows, tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def translations(translation_search, lab, tmp_path_factory):
    rows = pd.DataFrame({"source": ["seven", "two hundred", "at one o'clock", "twenty-cheese", ""]})
    return serve(translation_search, lab, rows, tmp_path_factory.mktemp("translations"))


@pytest.fixture(params=["table", "images", "translations"])
def served(request):
    return request.getfixturevalue(request.param)


def assert_same(answers, expected):
    assert list(answers.columns) == list(expected.columns)
    assert answers["prediction"].tolist() == expected["prediction"].tolist()
    chances = [name for name in expected.columns if name.startswith("p_")]
    np.testing.assert_allclose(answers[chances], expected[chances], atol=1e-6)


def test_the_winner_is_measured_on_the_test_rows_as_here(served):
    assert served.recorded_test == pytest.approx(served.test, rel=1e-5)


def test_what_it_answers_to_the_test_rows_is_kept_for_reports(image_search, lab):
    kept = recall.kept_file(lab.mlflow, image_search.result.run_id, ANSWERED)
    counts = np.array(from_plain(json.loads(kept)).counts)
    accuracy = np.trace(counts) / counts.sum()
    assert accuracy == pytest.approx(image_search.result.test["test_accuracy"])


def test_the_model_has_a_signature_and_an_input_example(served):
    model = mlflow.pyfunc.load_model(served.path)
    assert model.metadata.signature.inputs is not None
    assert model.metadata.signature.outputs is not None
    assert model.metadata.saved_input_example_info
    example = model.input_example
    assert len(model.predict(example)) == len(example)


def test_the_model_answers_what_the_network_answers(served):
    assert_same(mlflow.pyfunc.load_model(served.path).predict(served.rows), served.answers)


def test_the_model_answers_one_row(served):
    answers = mlflow.pyfunc.load_model(served.path).predict(served.rows[:1])
    assert_same(answers, served.answers[:1])


def test_a_table_with_gaps_and_with_what_was_never_seen_is_answered(table):
    rows = pd.DataFrame(
        {
            "count": [3.0, np.nan, 4.0],
            "weight": [np.nan, 1.0, np.nan],
            "colour": ["red", "purple", None],
        }
    )
    answers = mlflow.pyfunc.load_model(table.path).predict(rows)
    assert answers["prediction"].isin(["low", "high"]).all()
    assert np.isfinite(answers[["p_low", "p_high"]].to_numpy()).all()


@pytest.mark.parametrize("kind", ["int64", "int32", "float64"])
def test_whole_numbers_may_be_sent_as_integers_and_as_floats(table, kind):
    rows = table.rows.astype({"count": kind})
    assert_same(mlflow.pyfunc.load_model(table.path).predict(rows), table.answers)


def test_columns_may_come_in_another_order_and_with_others(table):
    rows = table.rows[["colour", "weight", "count"]].assign(more=1)
    assert_same(mlflow.pyfunc.load_model(table.path).predict(rows), table.answers)


ELSEWHERE = dedent(
    """
    import importlib.util, pickle, sys

    for name in ("models", "tasks", "flows"):
        assert importlib.util.find_spec(name) is None, name
    import mlflow.pyfunc

    with open(sys.argv[1], "rb") as file:
        asked = pickle.load(file)
    answers = [mlflow.pyfunc.load_model(path).predict(rows) for path, rows in asked]
    assert not {"models", "tasks", "flows"} & set(sys.modules)
    with open(sys.argv[2], "wb") as file:
        pickle.dump(answers, file)
    """
)


def test_the_model_loads_and_answers_the_same_where_nettuner_is_not_installed(
    table, images, translations, bare_python, tmp_path
):
    asked, answered = tmp_path / "asked.pickle", tmp_path / "answered.pickle"
    everything = table, images, translations
    pd.to_pickle([(one.path, one.rows) for one in everything], asked)
    script = tmp_path / "elsewhere.py"
    script.write_text(ELSEWHERE)
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(
        [bare_python, script, asked, answered],
        check=True,
        cwd=tmp_path,
        env=clean,
        timeout=120,
    )
    for answers, one in zip(pd.read_pickle(answered), everything, strict=True):
        assert_same(answers, one.answers)
