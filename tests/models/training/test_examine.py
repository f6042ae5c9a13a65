"""The winner: measured on exactly the test rows, exported where that is possible."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
import torch

from nettuner.models import learners
from nettuner.models.data.load import load
from nettuner.models.data.preprocessing import Preprocessing
from nettuner.models.data.sources.builtin import Builtin
from nettuner.models.data.sources.csv import Csv
from nettuner.models.space import Space
from nettuner.models.study import Study
from nettuner.models.training import checkpoint
from nettuner.models.training import examine as examining
from nettuner.models.training.averages import Averages
from nettuner.models.training.examine import examine
from nettuner.models.training.loop import facts

OWN = """
import torch
from torch import nn
from nettuner.models.learner import Supervised


class Choosy(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.layer = nn.Linear(features, 1)

    def forward(self, inputs):
        if inputs.sum() > 0:
            return self.layer(inputs)
        return self.layer(-inputs)


class Net(Supervised):
    def build(self):
        return Choosy(self.data.features)


class Counts(Supervised):
    metrics = {"rows": "maximize", "sum": "minimize", "calls": "minimize", "grad": "minimize"}
    calls = 0

    def build(self):
        return nn.Linear(self.data.features, 1)

    def evaluate(self, networks, inputs, targets):
        self.calls += 1
        grad = torch.is_grad_enabled() or networks["network"].training
        total = targets.double().sum().item()
        return {"rows": len(inputs), "sum": total, "calls": self.calls, "grad": float(grad)}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "own.py").write_text(OWN)
    rng = np.random.default_rng(0)
    table = rng.normal(size=(6000, 2))
    lines = [f"{a:.6f},{b:.6f},{3 * a - b + 5:.6f}" for a, b in table]
    (tmp_path / "numbers.csv").write_text("\n".join(["a,b,y", *lines]) + "\n")
    return tmp_path


def study(learner, data):
    return Study(
        name="winner",
        learner=learner,
        data=data,
        space=Space.model_validate({"depth": 0}),
        metric="val_loss",
        epochs=1,
    )


def trained(given, params, path):
    """Writes a state of random weights; returns the network and the data."""
    dataset = load(given.data)
    learner = learners.find(given.learner)(facts(dataset))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        networks = learner.networks(params)
    checkpoint.save(path, networks, {}, 1)
    return networks["network"], dataset


def linear(network, inputs):
    """What one layer answers, in numpy."""
    weight, bias = (p.detach().numpy().astype(float) for p in network.parameters())
    return inputs.reshape(len(inputs), -1).astype(float) @ weight.T + bias


def test_a_classifier_is_measured_on_the_test_rows(tmp_path):
    given = study("mlp", Builtin(name="digits"))
    network, dataset = trained(given, {"depth": 0}, tmp_path / "state")
    found = examine(given, {"depth": 0}, tmp_path / "state", tmp_path)
    logits, targets = linear(network, dataset.test.inputs), dataset.test.targets
    likelihood = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert found.metrics == pytest.approx(
        {
            "test_loss": -np.log(likelihood[np.arange(len(targets)), targets]).mean(),
            "test_accuracy": (logits.argmax(axis=1) == targets).mean(),
        }
    )


def test_averaged_weights_are_what_is_examined_and_exported(tmp_path):
    given = study("mlp", Builtin(name="iris"))
    network, _ = trained(given, {"depth": 0}, tmp_path / "state")
    averages = Averages({"network": network}, {"ema": 0.9})
    for average in averages.of["network"].values():
        average.fill_(0.25)
    checkpoint.save(tmp_path / "state", {"network": network}, {}, 1, averages)
    found = examine(given, {"depth": 0}, tmp_path / "state", tmp_path)
    assert found.metrics["test_loss"] == pytest.approx(math.log(3))  # all outputs are equal
    program = torch.export.load(found.network).module()
    assert program(torch.ones(2, 4)).tolist() == [[1.25] * 3] * 2


def test_a_regression_over_several_batches_is_measured_on_the_test_rows(folder):
    given = study("mlp", Csv(path=str(folder / "numbers.csv")))
    network, dataset = trained(given, {"depth": 0}, folder / "state")
    assert len(dataset.test) == 1200  # more than one batch of 1024
    found = examine(given, {"depth": 0}, folder / "state", folder)
    unit = dataset.preprocessing.target_std
    errors = linear(network, dataset.test.inputs)[:, 0] - dataset.test.targets
    assert found.metrics == pytest.approx(
        {
            "test_loss": (errors**2).mean(),
            "test_rmse": unit * np.sqrt((errors**2).mean()),
            "test_mae": unit * np.abs(errors).mean(),
            "test_r2": 1 - (errors**2).mean() / dataset.test.targets.astype(float).var(),
        },
        rel=1e-4,
    )


def test_the_test_rows_are_measured_once_in_evaluation_mode(folder):
    given = study(f"{folder / 'own.py'}:Counts", Csv(path=str(folder / "numbers.csv")))
    dataset = trained(given, {}, folder / "state")[1]
    found = examine(given, {}, folder / "state", folder)
    assert found.metrics == {
        "test_rows": 1200,
        "test_sum": pytest.approx(dataset.test.targets.astype(float).sum()),
        "test_calls": 1,
        "test_grad": 0.0,
    }


def test_the_exported_program_and_its_preprocessing_predict_from_raw_rows(folder):
    given = study("mlp", Csv(path=str(folder / "numbers.csv")))
    network, dataset = trained(given, {"depth": 0}, folder / "state")
    found = examine(given, {"depth": 0}, folder / "state", folder)
    assert found.why_not is None
    program = torch.export.load(found.network).module()
    preprocessing = Preprocessing.from_json(found.preprocessing)
    assert preprocessing == dataset.preprocessing
    inputs = preprocessing.transform(found.example.iloc[:1])
    with torch.no_grad():
        outputs = program(torch.from_numpy(inputs)).numpy()
    np.testing.assert_allclose(outputs, linear(network, inputs), rtol=1e-5, atol=1e-6)


def test_a_network_that_cannot_be_exported_costs_only_the_model(folder):
    given = study(f"{folder / 'own.py'}:Net", Csv(path=str(folder / "numbers.csv")))
    trained(given, {}, folder / "state")
    found = examine(given, {}, folder / "state", folder / "out")
    assert found.network is None
    assert len(found.why_not.splitlines()) == 1
    assert found.why_not
    assert found.metrics["test_rmse"] > 0


@pytest.mark.parametrize(
    ("error", "why_not"),
    [
        (AssertionError(), "AssertionError"),
        (RuntimeError("first\nsecond"), "RuntimeError: first"),
    ],
)
def test_why_not_is_one_line_whatever_was_raised(tmp_path, monkeypatch, error, why_not):
    def fail(*arguments):
        raise error

    monkeypatch.setattr(examining, "export", fail)
    given = study("mlp", Builtin(name="iris"))
    trained(given, {"depth": 0}, tmp_path / "state")
    found = examine(given, {"depth": 0}, tmp_path / "state", tmp_path)
    assert (found.network, found.why_not) == (None, why_not)
    assert found.metrics


def test_a_state_of_another_structure_is_an_error(tmp_path):
    given = study("mlp", Builtin(name="iris"))
    trained(given, {"depth": 0}, tmp_path / "state")
    with pytest.raises(ValueError, match="does not fit"):
        examine(given, {"depth": 1}, tmp_path / "state", tmp_path)
