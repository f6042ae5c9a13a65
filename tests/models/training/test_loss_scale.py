"""float16 with a scale of the loss: what overflows is skipped, what is small is not lost."""

from __future__ import annotations

import functools
import math
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from nettuner.models import learners
from nettuner.models.data.dataset import Dataset, Split
from nettuner.models.data.labelled import Labelled
from nettuner.models.data.load import load
from nettuner.models.data.preprocessing import Preprocessing, Table
from nettuner.models.data.sources.builtin import Builtin
from nettuner.models.learner import Learner, Supervised
from nettuner.models.study import Length
from nettuner.models.training import checkpoint, loss_scale
from nettuner.models.training.loop import facts, fit
from nettuner.models.training.loss_scale import LossScale
from nettuner.models.training.losses import DivergedError

pytestmark = pytest.mark.usefixtures("one_thread")

OPTIMIZERS = ["sgd", "adam", "adamw", "rmsprop"]
CPU = torch.device("cpu")
NOTHING = Labelled(np.zeros((0, 1)), ())


def column(*inputs):
    """Data for a regression on one column whose targets are 0."""
    split = Split(np.array(inputs, np.float32)[:, None], np.zeros(len(inputs), np.float32))
    preprocessing = Preprocessing(Table(()))
    parts = (split, split, split, "regression", (1,), (), preprocessing)
    return Dataset(*parts, np.zeros(1), NOTHING, NOTHING, "0" * 16)


class Weight(Supervised):
    """One weight w that starts at 1: with inputs 1 and targets 0 the loss is w^2, its slope 2 w."""

    def build(self):
        layer = nn.Linear(1, 1, bias=False)
        nn.init.ones_(layer.weight)
        return layer


@functools.cache
def digits():
    return load(Builtin(name="digits"))


def run(make, data, params, length, path, **more):
    """All rounds' metrics, and the state at the end."""
    made, given = make(facts(data)), {"precision": "fp16", **params}
    found = list(fit(made, data, given, length, seed=(0, 0), end=path, **more))
    return [metrics for _, metrics in found], load_file(path)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.safetensors"


# At w = 1 the slope by each of two answers is 1, times the scale. 2^16 is more than the largest
# number of float16, 65504, and so is the sum of both at 2^15: the third step is the first one.
TWO = column(1.0, 1.0)
SGD = {"optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.0}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_step_whose_gradients_overflow_changes_nothing_and_halves_the_scale(optimizer, path):
    params = {"optimizer": optimizer, "learning_rate": 0.1, "weight_decay": 0.1, "clip_norm": 1.0}
    metrics, state = run(Weight, TWO, params, Length(2), path)
    assert state.pop("scale/network").tolist() == [2.0**14, 0]
    assert state.pop("network/network/weight").item() == 1.0
    assert [tensor.item() for tensor in state.values()] == [0.0] * len(state)  # moments and steps
    assert [found["train_loss"] for found in metrics] == [1.0, 1.0]  # as it is without a scale


def test_the_first_step_that_does_not_overflow_is_the_one_of_float32(path):
    _, state = run(Weight, TWO, SGD, Length(3), path)
    assert state["network/network/weight"].item() == pytest.approx(0.8)  # 1 - 0.1 * 2
    assert state["scale/network"].tolist() == [2.0**14, 1]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_skipped_steps_are_no_steps_of_the_optimiser(optimizer, path):
    params = {"optimizer": optimizer, "learning_rate": 0.1, "weight_decay": 0.1}
    _, half = run(Weight, TWO, params, Length(5), path)
    _, full = run(Weight, TWO, {**params, "precision": "float32"}, Length(3), path)
    assert "scale/network" not in full
    for key, tensor in full.items():
        # Weights and gradients have 11 digits in float16, of which three steps keep nine.
        torch.testing.assert_close(half[key], tensor, rtol=2**-9, atol=0)


def test_gradients_are_unscaled_before_they_are_clipped(path):
    # 2 is scaled to 0.5, whatever it was multiplied with before.
    _, state = run(Weight, TWO, {**SGD, "clip_norm": 0.5}, Length(3), path)
    assert state["network/network/weight"].item() == pytest.approx(0.95)


class Tiny(Weight):
    """A loss of 2^-30 w: its slope is less than half of the least number of float16, 2^-24."""

    def loss(self, network, networks, batch, now):
        return (networks[network](batch[0]).float() * 2.0**-30).mean()


def test_gradients_that_float16_does_not_have_are_kept(path):
    _, state = run(Tiny, column(1.0), {**SGD, "learning_rate": 2.0**28}, Length(1), path)
    assert state["network/network/weight"].item() == 0.75  # 1 - 2^28 * 2^-30


def test_the_scale_is_doubled_after_so_many_steps_in_a_row_without_an_overflow():
    scale = LossScale(CPU)
    went_well, overflow = torch.tensor(False), torch.tensor(True)
    for _ in range(1999):
        scale.adapt(went_well)
    scale.adapt(overflow)
    assert scale.state.tolist() == [2.0**15, 0]
    for step in range(1, 4001):
        scale.adapt(went_well)
        assert scale.state.tolist() == [2.0 ** (15 + step // 2000), step % 2000]


def test_members_have_scales_of_their_own():
    scale = LossScale(CPU, 3)
    scale.adapt(torch.tensor([False, True, False]))
    scale.adapt(torch.tensor([False, True, True]))
    assert scale.state.tolist() == [[2.0**16, 2.0**14, 2.0**15], [2, 0, 0]]


# Continuation


@pytest.mark.parametrize("name", ["mlp", "gan"])
@pytest.mark.parametrize("stop", [1, 2])
def test_continued_from_a_checkpoint_equals_uninterrupted_bit_for_bit(
    name, stop, tmp_path, monkeypatch
):
    monkeypatch.setattr(loss_scale, "DOUBLED_AFTER", 5)  # so that it overflows now and then
    few = {"train": Split(digits().train.inputs[:50], digits().train.targets[:50])}
    data, learner = replace(digits(), **few), learners.find(name)
    params, length = {"batch_size": 16, "hidden": 8}, Length(3)
    whole, state = run(learner, data, params, length, tmp_path / "whole")
    scales = [key for key in state if key.startswith("scale/")]
    assert {*scales} == {f"scale/{network}" for network in learner.several or ["network"]}
    first, _ = run(learner, data, params, length, tmp_path / "first", until=stop)
    start = tmp_path / "first"
    rest, found = run(learner, data, params, length, tmp_path / "rest", start=start)
    assert first + rest == whole
    assert found.keys() == state.keys()
    assert all(torch.equal(found[key], state[key]) for key in state)


def test_a_checkpoint_without_a_scale_goes_on_from_the_first_one(tmp_path):
    params = {**SGD, "precision": "float32"}
    run(Weight, TWO, params, Length(4), tmp_path / "first", until=1)
    _, state = run(Weight, TWO, SGD, Length(4), tmp_path / "end", start=tmp_path / "first")
    # w is 0.8 after a step in float32: 0.8 * 2^16 is less than 65504, the sum of both is not.
    assert state["scale/network"].tolist() == [2.0**15, 2]
    assert state["network/network/weight"].item() == pytest.approx(0.8**3, rel=2**-9)


def test_a_checkpoint_with_a_scale_goes_on_in_float32(tmp_path):
    run(Weight, TWO, SGD, Length(4), tmp_path / "first", until=3)
    params = {**SGD, "precision": "float32"}
    _, state = run(Weight, TWO, params, Length(4), tmp_path / "end", start=tmp_path / "first")
    assert "scale/network" not in state
    assert state["network/network/weight"].item() == pytest.approx(0.8**2)
    assert checkpoint.read(tmp_path / "first", {}).scales["network"].tolist() == [2.0**14, 1]


# Losses that overflow


class Summed(Weight):
    """A sum of squares in float16, which ends at 65504."""

    def loss(self, network, networks, batch, now):
        answers = networks[network](batch[0])
        assert answers.dtype == torch.float16
        return (answers * answers).sum()


def test_a_loss_that_overflows_by_itself_does_not_count(path):
    # The squares of 1 and 300 are 1 and 90000.
    params = {**SGD, "batch_size": 1, "learning_rate": 0.0}
    metrics, _ = run(Summed, column(1.0, 300.0), params, Length(2), path)
    assert [found["train_loss"] for found in metrics] == [1.0, 1.0]


def test_a_round_of_nothing_but_such_losses_is_a_divergence(path):
    with pytest.raises(DivergedError) as caught:
        run(Summed, column(300.0, 300.0), SGD, Length(2), path)
    assert str(caught.value) == "the loss of network is inf at step 1, round 1"


class Steep(Weight):
    """A slope of 10^12, which no scale of at least 2^-14 brings below 65504."""

    def loss(self, network, networks, batch, now):
        return networks[network](batch[0]).float().mean() * 1e12


def test_a_training_whose_scale_becomes_too_small_has_diverged(path):
    # 2^16 is halved 30 times to 2^-14, which is still allowed.
    metrics, state = run(Steep, column(1.0), SGD, Length(30), path)
    assert state["scale/network"].tolist() == [2.0**-14, 0]
    assert metrics[-1]["train_loss"] == pytest.approx(1e12)
    with pytest.raises(DivergedError) as caught:
        run(Steep, column(1.0), SGD, Length(31), path)
    assert str(caught.value) == (
        "in fp16 the scale of the loss of network must stay at 6.1e-05 or more, got 3.1e-05 after "
        "round 31; take bf16 or float32"
    )


# Whole trainings


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_in_float16_digits_are_learned_as_in_float32(name, tmp_path):
    params = {"hidden": 32, "learning_rate": 0.01}
    ends = {}
    for precision in ("float32", "fp16"):
        given = {**params, "precision": precision}
        rounds, state = run(learners.find(name), digits(), given, Length(4), tmp_path / precision)
        assert all(tensor.dtype == torch.float32 for tensor in state.values())
        ends[precision] = rounds[-1]
    half, full = ends["fp16"], ends["float32"]
    assert full["val_accuracy"] > 0.9
    assert half["val_accuracy"] == pytest.approx(full["val_accuracy"], abs=0.03)
    assert half["val_loss"] == pytest.approx(full["val_loss"], abs=0.05)
    assert half["val_loss"] != full["val_loss"]


class Rivals(Learner):
    """Two networks: the loss of the second is 2^20 times as steep."""

    several = ("calm", "steep")
    metrics: ClassVar = {"loss": "minimize"}

    def build(self):
        return {name: nn.Linear(1, 1, bias=False) for name in self.several}

    def loss(self, network, networks, batch, now):
        return networks[network](batch[0]).float().mean() * (2.0**20 if network == "steep" else 1.0)

    def evaluate(self, networks, inputs, targets):
        return {"loss": 0.0}


def test_each_network_has_a_scale_of_its_own(path):
    # 2^20 times 2^-4 is 2^16, which is too much for float16: 2^16 is halved to 2^-5, 21 times.
    _, state = run(Rivals, column(1.0), {**SGD, "learning_rate": 0.0}, Length(25), path)
    assert math.log2(state["scale/steep"][0].item()) == -5
    assert math.log2(state["scale/calm"][0].item()) == 15  # 1 times 2^16 is too much, too
