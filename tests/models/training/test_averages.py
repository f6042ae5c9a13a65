"""Averaged weights follow their formula, answer in evaluation, and are part of the checkpoint."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nettuner.models.learner import OPTIMISER
from nettuner.models.training import checkpoint
from nettuner.models.training.averages import Averages, share

NOW = {name: h.default for name, h in OPTIMISER.items()}


def one(weight=1.0):
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, weight)
    return {"network": network}


def trained(networks, weights, decay):
    averages = Averages(networks, NOW | {"ema": decay})
    for step, weight in enumerate(weights):
        nn.init.constant_(networks["network"].weight, weight)
        averages.update("network", step)
    return averages


def test_an_average_weighs_what_is_older_less_and_forgets_its_start():
    # With decay 1/2 the weights 4, 2, 6 count 1/8, 1/4 and 1/2, of 7/8 in all.
    averages = trained(one(100.0), [4.0, 2.0, 6.0], 0.5)
    assert averages.of["network"]["weight"].item() == pytest.approx((0.5 + 0.5 + 3) / 0.875)


def test_the_first_weights_are_their_own_average():
    assert trained(one(100.0), [4.0], 0.999).of["network"]["weight"].item() == 4.0
    assert share(0.9, 0) == 1.0


def test_equal_weights_are_their_own_average_to_the_last_bit():
    assert trained(one(), [0.1] * 9, 0.97).of["network"]["weight"] == torch.tensor(0.1)


def test_averages_answer_inside_the_block_alone():
    networks = one()
    averages = trained(networks, [4.0, 2.0], 0.5)  # (4 / 4 + 2 / 2) / 0.75
    with averages.in_force():
        assert networks["network"](torch.ones(1, 1)).item() == pytest.approx(2 / 0.75)
    assert networks["network"](torch.ones(1, 1)).item() == 2.0
    assert averages.of["network"]["weight"].item() == pytest.approx(2 / 0.75)


def test_without_a_decay_nothing_is_averaged():
    assert trained(one(), [4.0], 0.0).of == {}


def test_what_is_not_learned_is_not_averaged():
    networks = {"network": nn.BatchNorm1d(2)}
    networks["network"].bias.requires_grad_(False)
    assert list(Averages(networks, NOW | {"ema": 0.9}).of["network"]) == ["weight"]


def test_a_checkpoint_holds_weights_and_averages(tmp_path):
    networks = one()
    averages = trained(networks, [4.0, 2.0], 0.5)
    checkpoint.save(tmp_path / "state", networks, {}, 1, averages)
    others = one()
    theirs = Averages(others, NOW | {"ema": 0.9})
    checkpoint.load(tmp_path / "state", others, {}, theirs)
    assert others["network"].weight.item() == 2.0
    assert torch.equal(theirs.of["network"]["weight"], averages.of["network"]["weight"])
    checkpoint.load_to_answer(tmp_path / "state", others)
    assert others["network"].weight.item() == pytest.approx(2 / 0.75)


def test_averages_that_begin_later_begin_with_the_weights(tmp_path):
    checkpoint.save(tmp_path / "state", one(3.0), {}, 1)
    others = one()
    theirs = Averages(others, NOW | {"ema": 0.9})
    checkpoint.load(tmp_path / "state", others, {}, theirs)
    assert theirs.of["network"]["weight"].item() == 3.0
    checkpoint.load_to_answer(tmp_path / "state", others)
    assert others["network"].weight.item() == 3.0
