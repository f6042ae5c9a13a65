"""Stacks of accelerators: told a round in advance, replayed, halved where they do not fit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nettuner.models import learners
from nettuner.models.data.load import load
from nettuner.models.data.sources.builtin import Builtin
from nettuner.models.optimisers import KINDS, Settings
from nettuner.models.space import Space
from nettuner.models.stacks import trials
from nettuner.models.stacks.captured import Captured
from nettuner.models.stacks.choice import ACCELERATOR_SIZES, SIZES, Bench, StackChoice
from nettuner.models.stacks.device_stack import DeviceStack
from nettuner.models.stacks.kind import kind_for
from nettuner.models.stacks.stack import Stack
from nettuner.models.stacks.wide_optimiser import WIDE
from nettuner.models.study import Goal, Proposal, Study
from nettuner.models.training.batches import tensors
from nettuner.models.training.job import Job, Outcome
from nettuner.models.training.loop import facts

pytestmark = pytest.mark.usefixtures("one_thread")

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
DATA = load(Builtin(name="iris"))
OPTIMISER = {
    "learning_rate": 0.1,
    "weight_decay": 0.01,
    "momentum": 0.9,
    "beta1": 0.9,
    "beta2": 0.9999999,
    "clip_norm": 1.5,
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_wide_step_is_that_of_each_member(kind):
    # Three steps of two members, the second without momentum, decay and limit.
    nows = [OPTIMISER, OPTIMISER | {"momentum": 0.0, "weight_decay": 0.0, "clip_norm": 0.0}]
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(2, 5, generator=generator)
    alone = [torch.nn.Parameter(row.clone()) for row in weights]
    optimisers = [KINDS[kind]([parameter]) for parameter in alone]
    wide = WIDE[kind](weights, "network", nows)
    for _ in range(3):
        grads = torch.randn(2, 5, generator=generator)
        for parameter, one, now, grad in zip(alone, optimisers, nows, grads, strict=True):
            parameter.grad = grad.clone()
            one.step(Settings(**now))
        wide.step(grads, torch.tensor([0.1, 0.1]))
    torch.testing.assert_close(weights, torch.stack([p.detach() for p in alone]))


def test_only_parts_that_a_loss_depends_on_are_moved():
    weights = torch.ones(2, 4)
    wide = WIDE["sgd"](weights, "network", [OPTIMISER | {"weight_decay": 0.5, "clip_norm": 0}] * 2)
    wide.parts = ((0, 1), (3, 4))
    wide.step(torch.ones(2, 4), torch.tensor([0.1, 0.2]))
    # 1 - rate (1 + 0.5 * 1)
    expected = torch.tensor([[0.85, 1, 1, 0.85], [0.7, 1, 1, 0.7]])
    torch.testing.assert_close(weights, expected)


def test_a_cpu_and_an_accelerator_have_stacks_of_their_own():
    learner = learners.find("mlp")(facts(DATA))
    assert kind_for(CPU) is Stack
    assert kind_for(CUDA) is DeviceStack
    bench = Bench(learner, DATA, [{}], [(0,)], CPU)
    there = Bench(learner, DATA, [{}], [(0,)], CUDA)
    assert (bench.sizes, there.sizes) == (SIZES, ACCELERATOR_SIZES)


def test_convolutions_of_accelerators_are_tried_as_products_and_in_groups():
    digits = load(Builtin(name="digits"))
    learner = learners.find("cnn")(facts(digits))
    assert Bench(learner, digits, [{}], [(0,)], CUDA).ways() == ("products", "groups")
    assert Bench(learner, digits, [{}], [(0,)], CPU).ways() == ("one by one", "groups")


def test_what_is_captured_is_called_on_a_cpu_every_time():
    count = torch.zeros(())
    captured = Captured(lambda: count.add_(1), CPU)
    for _ in range(5):
        captured()
    assert count == 5


def test_rounds_of_other_lengths_and_data_of_other_sizes_are_told_anew():
    learner = learners.find("mlp")(facts(DATA))
    params = [{"learning_rate": 0.01, "batch_size": 20}, {"learning_rate": 0.02, "batch_size": 20}]
    stacks = [kind(learner, params, [(0,), (1,)], {}) for kind in (Stack, DeviceStack)]
    inputs, targets = tensors(DATA.train)
    with torch.no_grad():
        for rows, steps in ((60, [0, 1, 2]), (60, [3]), (60, [4, 5, 6, 7, 8]), (50, [9, 10])):
            given = (inputs[:rows], targets[:rows], np.array(steps), 11)
            found = [stack.train(*given) for stack in stacks]
            torch.testing.assert_close(found[0], found[1])


def jobs(folder, count):
    study = Study(
        name="iris",
        learner="mlp",
        data=Builtin(name="iris"),
        space=Space({"learning_rate": [0.01]}),
        metric="val_loss",
        epochs=2,
    )
    folder.mkdir()
    return [
        Job(
            study,
            Goal("val_loss", "minimize"),
            Proposal(k, {"learning_rate": 0.01 * (k + 1)}),
            folder / f"trial-{k}.jsonl",
            end=folder / f"trial-{k}.safetensors",
        )
        for k in range(count)
    ]


def test_a_stack_that_does_not_fit_is_halved_and_goes_on(tmp_path, monkeypatch):
    trained = []

    def train(stack, *given):
        trained.append(len(stack))
        if len(stack) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return inner(stack, *given)

    inner = Stack.train
    monkeypatch.setattr(Stack, "train", train)
    monkeypatch.setattr(trials, "choose", lambda *_: StackChoice(8))
    found = trials.run_stack(jobs(tmp_path / "all", 5), True, tmp_path / "choices")
    # 5 do not fit; 2 do; of the other 3, which do not, 1 is trained alone and 2 fit. 2 rounds each.
    assert trained == [5, 2, 2, 3, 2, 2]
    assert [type(outcome) for outcome in found.outcomes] == [Outcome] * 5
    assert found.why_not_stacked is None
    monkeypatch.setattr(Stack, "train", inner)
    wanted = trials.run_stack(jobs(tmp_path / "fits", 5), True, tmp_path / "choices").outcomes
    for one, other in zip(found.outcomes, wanted, strict=True):
        assert one.metrics == pytest.approx(other.metrics, rel=1e-3)
