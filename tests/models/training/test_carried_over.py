"""Hyperparameters changed between two segments are in force in the second; all else goes on."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    LambdaLR,
    LinearLR,
    MultiStepLR,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)

from nettuner.models.training.carried_over import carried_over, plain

WHOLE = 12


def built(make, rate):
    """A net, its optimiser and its schedule, and what they are made of before the first step."""
    torch.manual_seed(0)
    net = nn.Linear(3, 1)
    parts = [net, *make(net, rate)]
    return parts, [plain(part.state_dict()) for part in parts]


def trained(parts, first, last):
    """The learning rate in force at each step."""
    net, optimiser, schedule = parts
    rates = []
    for step in range(first, last):
        torch.manual_seed(step)
        optimiser.zero_grad()
        net(torch.randn(4, 3)).square().mean().backward()
        rates.append(float(optimiser.param_groups[0]["lr"]))
        optimiser.step()
        schedule.step(*([1.0] if isinstance(schedule, ReduceLROnPlateau) else []))
    return rates


def continued(make, old, new, at):
    """Rates after `at` steps with one learning rate, when another was given."""
    parts, then = built(make, old)
    trained(parts, 0, at)
    saved = [part.state_dict() for part in parts]
    again, _ = built(make, new)
    for part, before, after in zip(again, then, saved, strict=True):
        part.load_state_dict(carried_over(before, after, part.state_dict()))
    return again, trained(again, at, WHOLE)


def stepped(net, rate):
    optimiser = SGD(net.parameters(), rate, momentum=0.9)
    return optimiser, StepLR(optimiser, 3, gamma=0.5)


def several_steps(net, rate):
    optimiser = SGD(net.parameters(), rate)
    return optimiser, MultiStepLR(optimiser, [2, 2, 7], gamma=0.5)


def cosine(net, rate):
    optimiser = AdamW(net.parameters(), rate)
    return optimiser, CosineAnnealingLR(optimiser, WHOLE)


def one_cycle(net, rate):
    optimiser = Adam(net.parameters(), rate)
    return optimiser, OneCycleLR(optimiser, rate, total_steps=WHOLE + 1)


def warm_up(net, rate):
    optimiser = AdamW(net.parameters(), rate)
    return optimiser, LambdaLR(optimiser, lambda step: step / WHOLE)


def chained(net, rate):
    optimiser = SGD(net.parameters(), rate)
    first, then = LinearLR(optimiser, 0.1, total_iters=4), CosineAnnealingLR(optimiser, 8)
    return optimiser, SequentialLR(optimiser, [first, then], [4])


def plateau(net, rate):
    optimiser = SGD(net.parameters(), rate)
    return optimiser, ReduceLROnPlateau(optimiser, patience=1)


def tensor_rate(net, rate):
    optimiser = Adam(net.parameters(), torch.tensor(rate), capturable=False, foreach=False)
    return optimiser, StepLR(optimiser, 3, gamma=0.5)


ALL = [
    stepped,
    several_steps,
    cosine,
    one_cycle,
    warm_up,
    chained,
    plateau,
    tensor_rate,
]


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("at", [1, 5, 8])
def test_an_unchanged_continuation_equals_one_never_interrupted_to_the_bit(make, at):
    whole, _ = built(make, 0.1)
    rates = trained(whole, 0, WHOLE)
    again, continued_rates = continued(make, 0.1, 0.1, at)
    assert continued_rates == rates[at:]
    assert torch.equal(again[0].weight, whole[0].weight)
    assert repr(again[1].state_dict()) == repr(whole[1].state_dict())


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("at", [1, 5, 8])
def test_a_changed_learning_rate_is_in_force_from_the_first_step_on(make, at):
    parts, _ = built(make, 0.3)
    wanted = trained(parts, 0, WHOLE)[at:]  # as if it had always been the new one
    _, rates = continued(make, 0.1, 0.3, at)
    assert rates == pytest.approx(wanted, rel=1e-5)


def test_a_changed_momentum_and_decay_win_and_the_moments_stay():
    def make(net, momentum):
        optimiser = SGD(net.parameters(), 0.1, momentum=momentum, weight_decay=momentum / 10)
        return optimiser, StepLR(optimiser, 3)

    parts, then = built(make, 0.9)
    trained(parts, 0, 4)
    saved = parts[1].state_dict()
    (_, now, _), _ = built(make, 0.5)
    found = carried_over(then[1], saved, now.state_dict())
    group = found["param_groups"][0]
    assert (group["momentum"], group["weight_decay"]) == (0.5, 0.05)
    assert group["lr"] == pytest.approx(0.01)
    assert found["state"][0]["momentum_buffer"] is saved["state"][0]["momentum_buffer"]


def test_a_changed_decay_of_a_schedule_wins_and_its_count_stays():
    def make(net, gamma):
        optimiser = SGD(net.parameters(), 0.1)
        return optimiser, StepLR(optimiser, 3, gamma=gamma)

    parts, then = built(make, 0.5)
    trained(parts, 0, 4)
    (_, _, now), _ = built(make, 0.1)
    found = carried_over(then[2], parts[2].state_dict(), now.state_dict())
    assert (found["gamma"], found["last_epoch"]) == (0.1, 4)


@pytest.mark.parametrize(
    ("then", "saved", "now", "found"),
    [
        (1, 1, 2, 2),  # changed by construction alone
        (1, 5, 1, 5),  # changed by training alone
        (1, 5, 2, 5),  # changed by both
        ([1, 2], [1, 9], [3, 2], [3, 9]),  # one by one
        ([1], [1, 2], [3], [1, 2]),
        ({"lr": 0.5}, {"lr": 0.1}, {"lr": 1.0}, {"lr": 0.2}),
        ({"lr": 0.0}, {"lr": 0.1}, {"lr": 1.0}, {"lr": 1.0}),
        ({"param_groups": [{"eps": 1}]}, {"param_groups": [{"eps": 2}]},
         {"param_groups": [{"eps": 3}]}, {"param_groups": [{"eps": 3}]}),
        ({}, {"learned": 1}, {}, {"learned": 1}),
        ({"gone": 1}, {}, {"gone": 2}, {}),
        (float("nan"), float("inf"), float("nan"), float("inf")),
        (1, True, 1, True),
        (None, None, "a", "a"),
    ],
)  # fmt: skip
def test_each_value_is_compared_with_both_that_were_built(then, saved, now, found):
    assert carried_over(then, saved, now) == found


def test_a_counter_stays_one():
    assert type(carried_over({3: 1}, {3: 1}, Counter([3]))) is Counter


def test_plain_values_are_copied_and_tensors_left_out():
    lists = [1, (2, {"x": torch.zeros(3)})]
    state = {"state": lists, "param_groups": [{"lr": torch.tensor(0.5)}]}
    found = plain(state)
    lists[0] = 7
    assert found["state"] == [1, (2, {"x": None})]
    assert found["param_groups"][0]["lr"].item() == 0.5
