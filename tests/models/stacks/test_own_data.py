"""Data of one's own that are held are trained in stacks as they would be one by one."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nettuner.models.data.answer import understood
from nettuner.models.data.own_data import Told, own_dataset
from nettuner.models.data.sources.own import Own
from nettuner.models.learner import Supervised
from nettuner.models.stacks.stack import Stack
from nettuner.models.stacks.training import fit_stack
from nettuner.models.study import Length
from nettuner.models.training.loop import fit, prepared

pytestmark = pytest.mark.usefixtures("one_thread")


class Mixed(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.kinds, self.output = nn.Embedding(3, 4), nn.Linear(6, outputs)

    def forward(self, numbers, kind):
        return self.output(torch.cat([numbers, self.kinds(kind)], 1))


class Net(Supervised):
    def build(self):
        several = not self.data.shape
        return Mixed(self.data.outputs) if several else nn.Conv1d(2, self.data.outputs, 1)


def drawn(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


INPUTS = {
    "by-place": (drawn(20, 2), torch.arange(20) % 3),
    "by-name": {"numbers": drawn(20, 2), "kind": torch.arange(20) % 3},
}
TARGETS = {
    "numbers": drawn(20, 3),
    "labels": (drawn(20, 3) > 0.5).float(),
    "classes": torch.arange(20) % 4,
}
CASES = [(inputs, targets) for inputs in INPUTS for targets in TARGETS]
SEEDS = [(0, 1), (0, 2)]
PARAMS = [
    {"learning_rate": 0.05, "batch_size": 6, "label_smoothing": 0.0},
    {"learning_rate": 0.01, "batch_size": 6, "label_smoothing": 0.2},
]


def compared(part):
    """The metrics of every round, of two members together and of each alone."""
    answer = understood({"train": part, "validation": part}, "make")
    data = own_dataset(answer, Own(function="a.py:make"), Told(".:make", {}))
    learner = prepared(Net, data)
    stack = Stack(learner, PARAMS, SEEDS, {})
    together = list(fit_stack(stack, data, Length(3)))
    for member, (params, seed) in enumerate(zip(PARAMS, SEEDS, strict=True)):
        alone = list(fit(learner, data, params, Length(3), seed=seed))
        for (_, found), (_, expected) in zip(together, alone, strict=True):
            yield found[member], expected


@pytest.mark.parametrize(("inputs", "targets"), CASES)
def test_several_inputs_and_targets_of_several_kinds_are_stacked(inputs, targets):
    given = INPUTS[inputs]
    wanted = TARGETS[targets]
    part = {**given, "y": wanted} if isinstance(given, dict) else (*given, wanted)
    for found, expected in compared(part):
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_a_class_at_each_position_is_stacked():
    masks = torch.arange(20 * 5).reshape(20, 5) % 3
    for found, expected in compared((drawn(20, 2, 5), masks)):
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-6)
