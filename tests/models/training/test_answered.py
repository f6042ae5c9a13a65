"""What the winner answers to the test rows is kept where it can be drawn."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from nettuner.models import learners
from nettuner.models.answers import Classes, Numbers, as_plain, from_plain
from nettuner.models.data.load import load
from nettuner.models.data.sources.builtin import Builtin
from nettuner.models.data.sources.numbers import Numbers as Sentences
from nettuner.models.training.answered import MOST_ROWS, answered
from nettuner.models.training.batches import tensors
from nettuner.models.training.loop import facts, measure
from nettuner.models.training.seeding import seeded

pytestmark = pytest.mark.usefixtures("one_thread")


def told(name, data, **params):
    """What fresh networks answer, and their metrics on the same rows."""
    learner = learners.find(name)(facts(data))
    with seeded(0):
        networks = learner.networks(params)
    metrics = measure(learner, networks, tensors(data.test), "test")
    return answered(learner, networks, data), metrics


def test_a_matrix_has_every_test_row_in_the_line_of_its_class():
    data = load(Builtin(name="iris"))
    found, metrics = told("mlp", data, hidden=4)
    assert found.labels == ["setosa", "versicolor", "virginica"]
    counts = np.array(found.counts)
    assert counts.sum(axis=1).tolist() == np.bincount(data.test.targets, minlength=3).tolist()
    assert np.trace(counts) / counts.sum() == pytest.approx(metrics["test_accuracy"])


def test_numbers_are_pairs_in_the_unit_of_the_target():
    data = load(Builtin(name="diabetes"))
    found, metrics = told("mlp", data, hidden=4)
    true, answers = np.array(found.true), np.array(found.answered)
    assert len(true) == len(data.test) < MOST_ROWS
    assert np.sqrt(np.mean((true - answers) ** 2)) == pytest.approx(metrics["test_rmse"], rel=1e-5)
    assert 25 <= true.min() < true.max() <= 346  # what the data set's page says of its target


def test_of_many_rows_some_are_kept_evenly():
    data = load(Builtin(name="diabetes"))
    rows = np.arange(2000) % len(data.test)
    test = replace(data.test, inputs=data.test.inputs[rows], targets=data.test.targets[rows])
    found, _ = told("mlp", replace(data, test=test), hidden=4)
    assert len(found.true) == len(found.answered) == MOST_ROWS


@pytest.mark.parametrize(
    ("name", "data"), [("gan", Builtin(name="digits")), ("translator", Sentences())]
)
def test_where_answers_are_no_classes_and_no_numbers_none_are_kept(name, data):
    dataset = load(data)
    learner = learners.find(name)(facts(dataset))
    assert answered(learner, learner.networks({}), dataset) is None


def test_without_test_rows_and_with_too_many_classes_none_are_kept():
    data = load(Builtin(name="iris"))
    learner = learners.find("mlp")(facts(data))
    networks = learner.networks({})
    assert answered(learner, networks, replace(data, test=None)) is None
    many = replace(data, preprocessing=None, own_outputs=41, classes=())
    assert answered(learner, networks, many) is None


@pytest.mark.parametrize(
    "given", [Classes(["a", "b"], [[3, 1], [0, 4]]), Numbers([0.5, 1.0], [0.25, 2.0])]
)
def test_they_come_back_from_json_as_they_were(given):
    assert from_plain(json.loads(json.dumps(as_plain(given)))) == given


def test_no_gradients_are_kept():
    data = load(Builtin(name="iris"))
    learner = learners.find("mlp")(facts(data))
    networks = learner.networks({})
    answered(learner, networks, data)
    assert torch.is_grad_enabled()
    assert all(p.grad is None for p in networks["network"].parameters())
