"""Optimisers move weights as torch's own do, to the last bit, and import no compiler."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from nettuner.models.optimisers import KINDS, Settings

THEIRS = {
    "sgd": lambda parameters, s: torch.optim.SGD(
        parameters,
        lr=s.learning_rate,
        momentum=s.momentum,
        weight_decay=s.weight_decay,
        fused=True,
    ),
    "adam": lambda parameters, s: torch.optim.Adam(
        parameters,
        lr=s.learning_rate,
        betas=(s.beta1, s.beta2),
        weight_decay=s.weight_decay,
        fused=True,
    ),
    "adamw": lambda parameters, s: torch.optim.AdamW(
        parameters,
        lr=s.learning_rate,
        betas=(s.beta1, s.beta2),
        weight_decay=s.weight_decay,
        fused=True,
    ),
    "rmsprop": lambda parameters, s: torch.optim.RMSprop(
        parameters, lr=s.learning_rate, momentum=s.momentum, weight_decay=s.weight_decay
    ),
}


def networks():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        first = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    second = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    second.load_state_dict(first.state_dict())
    return first, second


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "settings",
    [
        Settings(0.01),
        Settings(0.1, weight_decay=0.1, momentum=0.9, beta1=0.5, beta2=0.9),
    ],
    ids=["plain", "all"],
)
def test_twenty_steps_end_where_those_of_torch_end(kind, settings):
    ours, theirs = networks()
    own = KINDS[kind](ours.parameters())
    reference = THEIRS[kind](theirs.parameters(), settings)
    rows = torch.randn(20, 5, 3, generator=torch.Generator().manual_seed(1))
    for batch in rows:
        for network, optimiser in ((ours, own), (theirs, reference)):
            optimiser.zero_grad()
            network(batch).square().mean().backward()
        own.step(settings)
        reference.step()
    assert own.learning_rate == settings.learning_rate
    for mine, its in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(mine, its)
    for index, moments in reference.state_dict()["state"].items():
        for name, moment in moments.items():
            if moment is not None:
                assert torch.equal(own.state[index][name], torch.as_tensor(moment)), name


@pytest.mark.parametrize("kind", KINDS)
def test_what_has_no_gradient_stays_as_it_is_and_has_no_state(kind):
    parameters = [nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))]
    optimiser = KINDS[kind](parameters)
    parameters[1].grad = torch.ones(2)
    optimiser.step(Settings(0.1, weight_decay=0.5))
    assert parameters[0].tolist() == [1.0, 1.0]
    assert parameters[1].tolist() != [1.0, 1.0]
    assert list(optimiser.state) == [1]


@pytest.mark.parametrize("kind", KINDS)
def test_weights_of_two_types_are_moved_each_in_its_own(kind):
    parameters = [nn.Parameter(torch.ones(1, dtype=t)) for t in (torch.float32, torch.float64)]
    optimiser = KINDS[kind](parameters)
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    optimiser.step(Settings(0.25))
    assert parameters[0].item() == pytest.approx(parameters[1].item(), rel=1e-6)
    assert parameters[0].item() < 1


def test_training_imports_no_compiler():
    program = """
import sys
import torch
from torch import nn
from nettuner.models.optimisers import KINDS, Settings
for kind in KINDS.values():
    network = nn.Linear(2, 1)
    optimiser = kind(network.parameters())
    network(torch.ones(1, 2)).sum().backward()
    optimiser.step(Settings(0.1))
assert "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
