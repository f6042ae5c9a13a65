"""Metrics beyond loss and accuracy, by hand; alone, in stacks, and on the test rows."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from nettuner.models import learners
from nettuner.models.data.load import load
from nettuner.models.data.sources.builtin import Builtin
from nettuner.models.data.sources.csv import Csv
from nettuner.models.learner import DataFacts
from nettuner.models.space import Space
from nettuner.models.stacks.stack import Stack
from nettuner.models.stacks.training import fit_stack
from nettuner.models.study import Goal, Length, Proposal, Study
from nettuner.models.training.examine import examine
from nettuner.models.training.job import Job
from nettuner.models.training.loop import facts, fit, prepared
from nettuner.models.training.metrics import KNOWN, Metric, asked_for, known
from nettuner.models.training.trial import run

OWN = """
import numpy as np

def width(predictions, targets):
    assert predictions.shape == (len(targets), 3)
    assert targets.dtype.kind == "i"
    return np.abs(predictions.sum(1) - 1).max()

def words(predictions, targets):
    return "good"

class Kind:
    pass
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "own_metrics.py").write_text(OWN)
    return lambda name: f"{tmp_path / 'own_metrics.py'}:{name}"


def study(**changes):
    given = {
        "name": "s",
        "learner": "mlp",
        "data": Builtin(name="iris"),
        "space": Space.model_validate({"hidden": [4]}),
        "metric": "val_loss",
        "epochs": 2,
    }
    return Study(**given | changes)


def of(task, name, predictions, targets):
    direction, formula = KNOWN[task][name]
    return Metric(name, direction, formula).of(torch.tensor(predictions), torch.tensor(targets))


# Four rows of three classes, all of class 0 right, the one of class 1 wrong, that of class 2 right.
SURE = [[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.1, 0.1, 0.8]]
CLASSES = [0, 0, 1, 2]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        # The shares of right answers are 1, 0 and 1.
        ("balanced_accuracy", 2 / 3),
        # Class 0 has precision 2/3 and recall 1, so F1 = 0.8; class 1 has 0, class 2 has 1.
        ("macro_f1", 1.8 / 3),
        # 0.8 and 0.6 against 0.5 and 0.1 in class 0; 0.4 against 0.1, 0.3 and 0.1 in class 1.
        ("roc_auc", 1.0),
        ("average_precision", 1.0),
    ],
)
def test_metrics_of_classes(name, value):
    assert of("classification", name, SURE, CLASSES) == pytest.approx(value)


def test_of_two_classes_the_second_one_is_ranked():
    # Of the four pairs of a row of class 1 and one of class 0, three are in order.
    predictions = [[1 - p, p] for p in (0.1, 0.4, 0.35, 0.8)]
    assert of("classification", "roc_auc", predictions, [0, 0, 1, 1]) == pytest.approx(0.75)
    # Found at rank 1 (precision 1) and at rank 3 (precision 2/3).
    found = of("classification", "average_precision", predictions, [0, 0, 1, 1])
    assert found == pytest.approx((1 + 2 / 3) / 2)


def test_a_class_that_does_not_occur_is_left_out():
    # Class 0 as before; of class 1 0.4 and 0.1 against 0.1 and 0.3: two and a half pairs of four.
    found = of("classification", "roc_auc", SURE, [0, 0, 1, 1])
    assert found == pytest.approx((1 + 2.5 / 4) / 2)
    assert of("classification", "balanced_accuracy", SURE, [0, 0, 1, 1]) == pytest.approx(0.5)
    assert math.isnan(of("classification", "roc_auc", SURE, [0, 0, 0, 0]))


def test_the_true_class_is_among_the_first_five_or_not():
    row = [0.3, 0.2, 0.15, 0.14, 0.11, 0.1]
    found = of("classification", "top5_accuracy", [row] * 4, [0, 4, 5, 1])
    assert found == pytest.approx(0.75)


def test_metrics_of_labels_are_means_over_labels():
    predictions, targets = (
        [[0.9, 0.2], [0.2, 0.4], [0.6, 0.1]],
        [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]],
    )
    # The first has precision 1/2 and recall 1, the second is never found.
    assert of("labels", "macro_f1", predictions, targets) == pytest.approx((2 / 3 + 0) / 2)
    assert of("labels", "roc_auc", predictions, targets) == pytest.approx(1.0)


def test_the_percentage_error_is_a_share():
    found = of("regression", "mape", [110.0, 80.0], [100.0, 100.0])
    assert found == pytest.approx((0.1 + 0.2) / 2)


def test_predictions_that_are_not_finite_have_no_metric():
    assert math.isnan(of("regression", "mape", [math.inf, 1.0], [1.0, 1.0]))


def test_numbers_are_compared_in_the_unit_of_the_target():
    data = DataFacts("regression", (3,), 1, means=(150.0,), stds=(10.0,))
    learner = learners.find("mlp")(data)
    networks = learner.networks({"depth": 0})
    with torch.no_grad():
        for parameter in networks["network"].parameters():
            parameter.zero_()
        predictions = learner.predictions(networks, torch.ones(2, 3))
    assert predictions.tolist() == [150.0, 150.0]
    assert learner.truth(torch.tensor([0.0, -1.0])).tolist() == [150.0, 140.0]


def test_each_of_several_numbers_is_compared_in_its_own_unit():
    data = DataFacts("regression", (3,), 2, target_shape=(2,), means=(150.0, 1.0), stds=(10.0, 0.5))
    learner = learners.find("mlp")(data)
    assert learner.truth(torch.tensor([[0.0, 2.0]])).tolist() == [[150.0, 2.0]]


def test_the_units_of_a_target_are_those_of_its_column(tmp_path):
    rows = [f"{k},{k % 7},{10 * k},{k % 3}" for k in range(60)]
    (tmp_path / "rows.csv").write_text("\n".join(["a,b,y,z", *rows]) + "\n")
    for targets, names in (("z", ["z"]), (("y", "z"), ["y", "z"])):
        data = load(Csv(path=str(tmp_path / "rows.csv"), target=targets))
        found = facts(data)
        standard = torch.from_numpy(data.train.targets).reshape(len(data.train), -1)
        values = standard * torch.tensor(found.stds) + torch.tensor(found.means)
        assert len(found.means) == len(found.stds) == len(names)
        assert torch.allclose(values, values.round(), atol=1e-3), names


def test_what_can_be_computed_depends_on_the_data_and_the_learner():
    def names(task, outputs, name="mlp", shape=(4,)):
        return set(known(learners.find(name)(DataFacts(task, shape, outputs))))

    few = {"balanced_accuracy", "macro_f1", "roc_auc", "average_precision"}
    assert names("classification", 5) == few
    assert names("classification", 6) == few | {"top5_accuracy"}
    assert names("regression", 1) == {"mape"}
    assert names("classification", 10, "gan", (1, 8, 8)) == set()


def test_the_studys_metric_and_those_it_names_are_computed():
    learner = prepared(learners.find("mlp"), load(Builtin(name="iris")))
    given = study(metric="val_macro_f1", metrics=("roc_auc", "macro_f1"))
    assert [metric.name for metric in asked_for(given, learner)] == ["roc_auc", "macro_f1"]
    assert [m.name for m in asked_for(study(metric="val_macro_f1"), learner)] == ["macro_f1"]
    assert asked_for(study(), learner) == ()


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        (
            ("macro_f2",),
            "mlp has no 'macro_f2' for these data; did you mean 'macro_f1'? it has: "
            "balanced_accuracy, macro_f1, roc_auc, average_precision; or your own: "
            "file.py:function",
        ),
        (("macro_f1", "macro_f1"), "must be named once, got macro_f1 twice; drop or rename one"),
    ],
)
def test_what_is_not_known_or_named_twice_is_refused(metrics, message):
    learner = prepared(learners.find("mlp"), load(Builtin(name="iris")))
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        asked_for(study(metrics=metrics), learner)


def test_a_metric_that_is_a_class_is_refused(own):
    learner = prepared(learners.find("mlp"), load(Builtin(name="iris")))
    with pytest.raises(ValueError, match=r"must be a subclass of .* or a function"):
        asked_for(study(metrics=(own("Kind"),)), learner)


def test_a_learner_without_predictions_has_no_such_metrics(own):
    data = load(Builtin(name="digits"))
    learner = learners.find("gan")(prepared(learners.find("cnn"), data).data)
    with pytest.raises(ValueError, match="is for learners with predictions, got "):
        asked_for(study(learner="gan", metrics=(own("width"),)), learner)


def job(folder, given, goal):
    end = folder / "state.safetensors"
    return Job(given, goal, Proposal(0, {"hidden": 4}), folder / "log.jsonl", end=end)


def test_a_trial_and_its_examination_report_what_was_asked_for(tmp_path, own):
    given = study(metric="val_balanced_accuracy", metrics=("macro_f1", own("width")))
    outcome = run(job(tmp_path, given, Goal("val_balanced_accuracy", "maximize")))
    assert outcome.score == -outcome.metrics["val_balanced_accuracy"]
    assert 0 < outcome.metrics["val_macro_f1"] <= 1
    assert outcome.metrics["val_width"] < 1e-6  # probabilities add up to 1
    winner = examine(given, {"hidden": 4}, tmp_path / "state.safetensors", tmp_path)
    assert set(winner.metrics) == {
        "test_loss",
        "test_accuracy",
        "test_balanced_accuracy",
        "test_macro_f1",
        "test_width",
    }


def test_a_metric_of_ones_own_that_is_no_number_fails_its_trial(tmp_path, own):
    given = study(metrics=(own("words"),))
    with pytest.raises(TypeError) as caught:
        run(job(tmp_path, given, Goal("val_loss", "minimize")))
    assert str(caught.value) == "the metric words must return a number, got str; return a float"


def few(split, rows):
    return replace(split, inputs=split.inputs[:rows], targets=split.targets[:rows])


@pytest.mark.parametrize(("name", "metric"), [("iris", "roc_auc"), ("diabetes", "mape")])
def test_members_of_a_stack_have_the_metrics_they_would_have_alone(name, metric):
    data = load(Builtin(name=name))
    data = replace(data, train=few(data.train, 24), validation=few(data.validation, 30))
    learner = prepared(learners.find("mlp"), data)
    further = [known(learner)[metric]]
    params = [{"hidden": 4, "learning_rate": rate} for rate in (0.01, 0.1)]
    stack = Stack(learner, params, [(0,), (1,)], {})
    *_, (_, found) = fit_stack(stack, data, Length(2), further=further)
    for member, given in enumerate(params):
        *_, (_, alone) = fit(learner, data, given, Length(2), seed=(member,), further=further)
        assert found[member][f"val_{metric}"] == pytest.approx(alone[f"val_{metric}"], rel=1e-3)


def test_nothing_imports_scikit_learn_before_a_metric_is_computed():
    program = """
import sys
import nettuner.models.training.trial, nettuner.models.stacks.trials
assert "sklearn" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_metrics_take_arrays():
    direction, formula = KNOWN["classification"]["macro_f1"]
    assert direction == "maximize"
    assert formula(np.array(SURE), np.array(CLASSES)) == pytest.approx(0.6)
