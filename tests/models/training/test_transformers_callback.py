"""A Trainer of Transformers, trained for real: paused, continued, and stopped by its own rules."""

from __future__ import annotations

import json
import sys

import pytest
import torch

from nettuner.models.study import Goal, Proposal, Study
from nettuner.models.training import state
from nettuner.models.training.job import Job
from nettuner.models.training.trial import run

LOOP = """
import torch
from nettuner import TransformersCallback
from transformers import (
    DistilBertConfig, DistilBertForSequenceClassification, EarlyStoppingCallback, Trainer,
    TrainingArguments,
)

def rows(count, seed):
    words = torch.randint(0, 8, (count, 4), generator=torch.Generator().manual_seed(seed))
    return [{"input_ids": row, "labels": row[0] % 2} for row in words]

def train(h, context):
    config = DistilBertConfig(vocab_size=8, dim=8, n_layers=1, n_heads=2, hidden_dim=8)
    given = {"num_train_epochs": context.length.rounds, "eval_strategy": "epoch", "report_to": [],
             "save_strategy": "no", "disable_tqdm": True, "per_device_train_batch_size": 4,
             "learning_rate": h["rate"], "logging_strategy": "epoch", "use_cpu": True}
    given |= {GIVEN}
    Trainer(
        DistilBertForSequenceClassification(config),
        TrainingArguments(str(context.folder), **given),
        train_dataset=rows(18, 0), eval_dataset={EVAL},
        callbacks=[TransformersCallback(context), *{MORE}],
    ).train()
    END
"""


@pytest.fixture(autouse=True)
def own_generators(monkeypatch):
    """A trial owns its process; here it shares one."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    with torch.random.fork_rng(devices=[]):
        yield


@pytest.fixture
def call(tmp_path):
    """Trains a tiny model as one segment of a training of four epochs."""

    def call(name="a", until=None, start=None, rate=0.1, metric="eval_loss", **parts):
        text = LOOP
        usual = {"{GIVEN}": "{}", "{EVAL}": "rows(8, 1)", "{MORE}": "[]", "END": ""}
        for place, given in (usual | {f"{{{k}}}": v for k, v in parts.items()}).items():
            text = text.replace(place, given)
        file = tmp_path / f"own_{abs(hash(text))}.py"
        file.write_text(text)
        study = Study.model_validate(
            {
                "name": "own",
                "learner": f"{file}:train",
                "space": {"rate": {"distribution": "uniform", "low": 0, "high": 1}},
                "metric": metric,
                "direction": "minimize",
                "epochs": 4,
            }
        )
        start = tmp_path / f"{start}.safetensors" if start else None
        files = tmp_path / f"{name}.jsonl", start, tmp_path / f"{name}.safetensors"
        proposal = Proposal(0, {"rate": rate}, None, 0, until)
        return run(Job(study, Goal(metric, "minimize"), proposal, *files))

    return call


def curve(folder, *names, of):
    lines = [line for name in names for line in (folder / f"{name}.jsonl").open()]
    return [json.loads(line)["metrics"][of] for line in lines]


def test_a_continued_trainer_equals_one_never_interrupted_to_the_bit(call, tmp_path):
    call("whole")
    for name, until, start in [("a", 1, None), ("b", 3, "a"), ("c", 4, "b")]:
        call(name, until, start)
    for of in ("eval_loss", "loss", "grad_norm", "learning_rate"):
        assert curve(tmp_path, *"abc", of=of) == curve(tmp_path, "whole", of=of)
    files = [tmp_path / f"{name}.safetensors" for name in ("whole", "c")]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert state.load(files[0]).parts["schedule"]["last_epoch"] == 20  # 18 rows by 4, 4 times


def test_a_changed_learning_rate_is_in_force_in_the_next_segment(call, tmp_path):
    call("whole", rate=0.3)
    call("a", 2)
    call("b", 4, "a", rate=0.3)
    rates = curve(tmp_path, "whole", of="learning_rate")[2:]
    assert curve(tmp_path, "b", of="learning_rate") == pytest.approx(rates, rel=1e-6)


def test_several_evaluations_make_one_round(call, tmp_path):
    call("a", metric="eval_two_loss", EVAL="{'one': rows(8, 1), 'two': rows(8, 2)}")
    assert len(curve(tmp_path, "a", of="eval_one_loss")) == 4


def test_an_evaluation_before_the_first_epoch_is_no_round(call, tmp_path):
    assert call("a", 2, GIVEN="{'eval_on_start': True}").rounds == 2
    call("b", 4, "a", GIVEN="{'eval_on_start': True}")
    lines = [json.loads(line) for name in "ab" for line in (tmp_path / f"{name}.jsonl").open()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4]


def test_a_trainer_may_stop_early_by_a_rule_of_its_own(call, tmp_path):
    best = "{'metric_for_best_model': 'loss', 'load_best_model_at_end': True, "
    given = best + "'save_strategy': 'epoch', 'learning_rate': 0.0}"
    found = call("a", GIVEN=given, MORE="[EarlyStoppingCallback(1)]")
    assert found.rounds == 2  # the second one was no better


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("{'num_train_epochs': 7}", "a Trainer must train for as many epochs as the study says, "
         "got num_train_epochs=7 and 4 rounds; give epochs in the study, and num_train_epochs="),
        ("{'eval_strategy': 'no', 'logging_strategy': 'no'}", "every round must be reported, got "
         "none of round 1"),
        ("{'eval_strategy': 'no'}", "a report must have the study's metric 'eval_loss', got loss"),
    ],
)  # fmt: skip
def test_a_trainer_that_does_not_fit_is_one_line(call, given, message):
    with pytest.raises(ValueError, match="must") as caught:
        call(GIVEN=given)
    assert message in str(caught.value)
