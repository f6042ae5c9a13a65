"""One trial from proposal to outcome: learners and functions, scores, reports, logs, seeds."""

from __future__ import annotations

import json
import random
import sys

import numpy as np
import pytest
import torch

from nettuner.models import learners
from nettuner.models.data.load import load
from nettuner.models.data.sources.builtin import Builtin
from nettuner.models.space import Space
from nettuner.models.study import Goal, Proposal, Study
from nettuner.models.training import checkpoint
from nettuner.models.training.job import Job, trial_seed
from nettuner.models.training.loop import measure, prepared, tensors
from nettuner.models.training.losses import DivergedError
from nettuner.models.training.trial import run

HEADER = """
import math, random
from pathlib import Path
import numpy as np
import torch
from nettuner.models.learners.mlp import MLP
"""


@pytest.fixture(autouse=True)
def own_generators(monkeypatch):
    """A trial owns its process; here it shares one."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    ordinary, numpys = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng(devices=[]):
        yield
    random.setstate(ordinary)
    np.random.set_state(numpys)  # noqa: NPY002


def rows_of(log):
    return [json.loads(line) for line in log.read_text().splitlines()]


@pytest.fixture
def call(tmp_path):
    """Runs a function with this body as a trial that minimizes or maximizes `cost`."""

    def call(body, direction="minimize", params=None, number=0, seed=0):
        source = tmp_path / "own_function.py"
        if not source.exists():
            indented = "\n".join(f"    {line}" for line in body.splitlines())
            source.write_text(f"{HEADER}\n\ndef f(h, report):\n{indented}\n")
        study = Study(
            name="own",
            learner=f"{source}:f",
            space=Space.model_validate({"x": [1, 2, 3]}),
            metric="cost",
            direction=direction,
            seed=seed,
        )
        proposal = Proposal(number, params or {"x": 2})
        return run(Job(study, Goal("cost", direction), proposal, tmp_path / "log.jsonl"))

    call.log = tmp_path / "log.jsonl"
    return call


# Functions


@pytest.mark.parametrize(("direction", "score"), [("minimize", 3.5), ("maximize", -3.5)])
def test_the_score_is_lower_where_the_metric_is_better(call, direction, score):
    outcome = call("return 3.5", direction)
    assert (outcome.score, outcome.metrics, outcome.rounds) == (score, {"cost": 3.5}, 1)


@pytest.mark.parametrize(
    "answer",
    [
        "2.5",
        "np.float64(2.5)",
        "np.float32(2.5)",
        "np.array(2.5)",
        "np.array([2.5])",
        "torch.tensor(2.5)",
        "torch.tensor([2.5], requires_grad=True)",
        "{'cost': 2.5}",
        "{'cost': torch.tensor(2.5), 'other': np.float32(1)}",
    ],
)
def test_a_function_may_return_its_metric_in_many_forms(call, answer):
    outcome = call(f"return {answer}")
    assert outcome.score == 2.5
    assert type(outcome.score) is float
    assert all(type(value) is float for value in outcome.metrics.values())


def test_whole_numbers_are_numbers(call):
    assert call("return h['x'] + 3").score == 5.0


@pytest.mark.parametrize(
    "report",
    [
        "report(1, {'cost': 4.0}); report(2, {'cost': 2.5})",
        "report(1, cost=4.0); report(2, cost=2.5)",
        "report(np.int64(1), cost=np.float32(4)); report(np.int64(2), cost=torch.tensor(2.5))",
    ],
)
@pytest.mark.parametrize("end", ["return None", "return 2.5", "return {'cost': 2.5}"])
def test_reports_are_logged_and_the_last_one_counts(call, report, end):
    outcome = call(f"{report}\n{end}")
    assert outcome.score == 2.5
    assert outcome.rounds == 2
    assert [(row["step"], row["metrics"]) for row in rows_of(call.log)] == [
        (1, {"cost": 4.0}),
        (2, {"cost": 2.5}),
    ]


def test_a_report_takes_a_mapping_and_names_at_once(call):
    call("report(3, {'cost': 1.0, 'step': 7}, metrics=2.0)")
    assert rows_of(call.log)[0]["metrics"] == {"cost": 1.0, "step": 7.0, "metrics": 2.0}


def test_what_is_returned_comes_after_what_was_reported(call):
    outcome = call("report(10, cost=9.0, epoch=1)\nreport(20, cost=8.0)\nreturn 7.0")
    assert outcome.metrics == {"cost": 7.0, "epoch": 1.0}
    last = rows_of(call.log)[-1]
    assert (last["step"], last["metrics"], last["round"]) == (20, {"cost": 7.0}, False)
    assert outcome.rounds == 2


@pytest.mark.parametrize("step", [2**63, -(2**63), 2**70])
def test_a_step_of_more_than_64_bits_is_an_error(call, step):
    with pytest.raises(ValueError, match=r"a step must be at most 2\*\*63 - 1, got"):
        call(f"report({step}, loss=0.5)")


def test_a_hyperparameter_that_does_not_exist_says_when_it_would(call):
    with pytest.raises(KeyError, match="beta: the space has no such hyperparameter; add it"):
        call("h['beta']")


def test_what_is_returned_adds_to_what_was_reported(call):
    outcome = call("report(1, cost=9.0)\nreturn {'size': 5}")
    assert outcome.metrics == {"cost": 9.0, "size": 5.0}


def test_a_function_that_never_says_its_metric_is_an_error(call):
    with pytest.raises(ValueError, match="must report or return") as caught:
        call("report(1, loss=0.5)\nreturn {'accuracy': 1}")
    assert str(caught.value) == (
        "the function must report or return 'cost', got loss, accuracy; "
        "return it or change the study's metric"
    )


def test_a_function_that_says_nothing_is_an_error(call):
    with pytest.raises(ValueError, match=r"must report or return 'cost', got nothing;"):
        call("pass")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("'2.5'", "str"),
        ("[2.5]", "list"),
        ("np.zeros(2)", "ndarray"),
        ("torch.zeros(2)", "Tensor"),
        ("{'cost': None}", "NoneType"),
        ("1j", "complex"),
    ],
)
def test_what_is_no_number_is_an_error(call, answer, kind):
    with pytest.raises(TypeError) as caught:
        call(f"return {answer}")
    assert str(caught.value) == f"cost must be a number, got {kind}; report it as a float"


@pytest.mark.parametrize("value", ["math.nan", "math.inf", "-math.inf"])
def test_a_metric_that_is_not_finite_ends_the_trial(call, value):
    with pytest.raises(DivergedError, match=rf"^cost is {value.replace('math.', '')} at the end$"):
        call(f"report(1, cost=1.0)\nreturn {value}")


def test_another_metric_may_be_anything(call):
    assert call("return {'cost': 1.0, 'ratio': math.nan}").score == 1.0


def test_what_a_function_raises_comes_out_as_it_is(call):
    with pytest.raises(ZeroDivisionError):
        call("report(1, cost=1.0)\nreturn 1 / 0")
    assert [row["step"] for row in rows_of(call.log)] == [1]


def test_the_log_is_written_as_it_happens(call):
    body = (
        "report(1, cost=1.0)\n"
        "first = len(Path(h['log']).read_text().splitlines())\n"
        "report(2, cost=1.0)\n"
        "return {'first': first, 'second': len(Path(h['log']).read_text().splitlines())}"
    )
    outcome = call(body, params={"log": str(call.log)})
    assert (outcome.metrics["first"], outcome.metrics["second"]) == (1, 2)


def test_a_log_begins_anew_with_its_trial(call):
    for _ in range(2):
        call("return 1.0")
    assert len(rows_of(call.log)) == 1


def test_a_function_may_change_what_it_is_given(call):
    params = {"x": 2}
    assert call("return h.pop('x')", params=params).score == 2
    assert params == {"x": 2}


def test_every_common_generator_is_seeded_by_study_and_trial(call):
    body = (
        "report(1, ordinary=random.random(), numpy=np.random.rand(), torch=torch.rand(()))\n"
        "return 1.0"
    )

    def drawn(**which):
        random.random(), np.random.rand(), torch.rand(())  # noqa: NPY002
        return call(body, **which).metrics

    first = drawn(number=1, seed=2)
    assert drawn(number=1, seed=2) == first
    for other in (drawn(number=2, seed=2), drawn(number=1, seed=3)):
        assert all(other[name] != first[name] for name in ("ordinary", "numpy", "torch"))


def test_all_segments_of_a_member_share_its_seed(call):
    study = Study(
        name="own", learner="mlp", space=Space.model_validate({"x": 1}), metric="m", seed=9
    )
    assert trial_seed(study, Proposal(13, {})) == (9, 13)
    assert trial_seed(study, Proposal(13, {}, parent=5, member=3, until=2)) == (9, 3)


# Learners


def iris(**changes):
    given = {
        "name": "iris",
        "learner": "mlp",
        "data": Builtin(name="iris"),
        "space": Space.model_validate({"hidden": [4, 8]}),
        "metric": "val_loss",
        "epochs": 3,
    }
    return Study(**given | changes)


def job(folder, study, goal=None, **changes):
    given = {"proposal": Proposal(0, {"hidden": 4}), "end": folder / "state.safetensors"}
    return Job(
        study, goal or Goal("val_loss", "minimize"), log=folder / "log.jsonl", **given | changes
    )


def test_a_learners_score_is_its_metric_after_the_last_round(tmp_path):
    outcome = run(job(tmp_path, iris()))
    logged = rows_of(tmp_path / "log.jsonl")
    assert [row["step"] for row in logged] == [1, 2, 3]
    assert outcome.score == logged[-1]["metrics"]["val_loss"] != logged[0]["metrics"]["val_loss"]
    assert outcome.metrics == logged[-1]["metrics"]
    measured = {"train_loss", "train_learning_rate", "val_loss", "val_accuracy"}
    assert set(outcome.metrics) == measured
    assert outcome.rounds == 3
    assert (tmp_path / "state.safetensors").exists()


def test_a_maximized_metric_scores_below_zero(tmp_path):
    outcome = run(job(tmp_path, iris(), Goal("val_accuracy", "maximize")))
    assert outcome.score == -outcome.metrics["val_accuracy"] < 0


def test_where_the_best_round_counts_its_metrics_are_the_trials_and_its_weights_are_kept(tmp_path):
    # A rate that is far too high: the loss goes up and down.
    hot = Proposal(0, {"hidden": 4, "learning_rate": 1.5})
    outcome = run(job(tmp_path, iris(score="best", epochs=6), proposal=hot))
    *rounds, whole = rows_of(tmp_path / "log.jsonl")
    assert [row["round"] for row in (*rounds, whole)] == [True] * 6 + [False]
    losses = [row["metrics"]["val_loss"] for row in rounds]
    assert losses.index(min(losses)) == outcome.metrics["best_round"] - 1 < 5
    assert outcome.score == min(losses)
    kept = rounds[losses.index(min(losses))]["metrics"]
    assert outcome.metrics["val_accuracy"] == whole["metrics"]["val_accuracy"]
    assert whole["metrics"]["val_accuracy"] == kept["val_accuracy"]
    assert outcome.rounds == 6
    learner = prepared(learners.find("mlp"), load(iris().data))
    networks = learner.networks(hot.params)
    assert (
        checkpoint.load(tmp_path / "state.safetensors", networks, {})
        == losses.index(min(losses)) + 1
    )
    measured = measure(learner, networks, tensors(load(iris().data).validation), "val")
    assert measured["val_loss"] == min(losses)


def test_a_trial_without_patience_left_says_how_long_it_trained(tmp_path):
    frozen = Proposal(0, {"hidden": 4, "learning_rate": 0})
    outcome = run(job(tmp_path, iris(patience_rounds=2, epochs=9), proposal=frozen))
    assert outcome.rounds == len(rows_of(tmp_path / "log.jsonl")) == 3
    assert (tmp_path / "state.safetensors").exists()


def test_steps_are_logged_as_steps(tmp_path):
    study = iris(epochs=None, steps=7, evaluate_every=3)
    assert study.length.rounds == 3
    assert run(job(tmp_path, study)).rounds == 3
    assert [row["step"] for row in rows_of(tmp_path / "log.jsonl")] == [3, 6, 7]


def test_segments_of_a_member_make_one_whole_training(tmp_path):
    (tmp_path / "whole").mkdir()
    whole = run(job(tmp_path / "whole", iris()))
    params = {"hidden": 4}
    end = tmp_path / "state.safetensors"
    first = Proposal(0, params, member=0, until=1)
    run(job(tmp_path, iris(), proposal=first))
    second = Proposal(8, params, parent=0, member=0, until=3)
    outcome = run(job(tmp_path, iris(), proposal=second, start=end, end=tmp_path / "next"))
    assert [row["step"] for row in rows_of(tmp_path / "log.jsonl")] == [2, 3]
    assert (outcome.score, outcome.rounds) == (whole.score, 2)
    assert (tmp_path / "next").read_bytes() == (
        tmp_path / "whole" / "state.safetensors"
    ).read_bytes()


def test_a_learner_whose_metric_is_not_finite_ends_with_its_round_and_keeps_its_log(tmp_path):
    source = tmp_path / "own_learner.py"
    source.write_text(
        f"{HEADER}\n\nclass Fails(MLP):\n    rounds = 0\n\n"
        "    def evaluate(self, networks, inputs, targets):\n"
        "        self.rounds += 1\n"
        "        value = math.nan if self.rounds == 2 else 1.0\n"
        "        return {'loss': value, 'accuracy': 0.5}\n"
    )
    with pytest.raises(DivergedError, match=r"^val_loss is nan after round 2$"):
        run(job(tmp_path, iris(learner=f"{source}:Fails")))
    assert [row["step"] for row in rows_of(tmp_path / "log.jsonl")] == [1, 2]
    assert not (tmp_path / "state.safetensors").exists()
    goal = Goal("val_accuracy", "maximize")
    assert run(job(tmp_path, iris(learner=f"{source}:Fails"), goal)).score == -0.5
