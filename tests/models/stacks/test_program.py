"""Recording is an optional layer: without it a stack trains to the same weights."""

import numpy as np
import pytest
import torch

from nettuner.models import learners
from nettuner.models.data.load import load
from nettuner.models.data.sources.builtin import Builtin
from nettuner.models.stacks import program
from nettuner.models.stacks.stack import Programs, Stack
from nettuner.models.training.batches import tensors
from nettuner.models.training.loop import facts

pytestmark = pytest.mark.usefixtures("one_thread")


def trained(learner_name, data, params):
    dataset = load(Builtin(name=data))
    learner = learners.find(learner_name)(facts(dataset))
    seeds = [(0, k) for k in range(len(params))]
    stack = Stack(learner, params, seeds, Programs())
    with torch.no_grad():
        losses = stack.train(*tensors(dataset.train), np.arange(5), 5)
    return losses, stack.rows


@pytest.mark.parametrize(("learner", "data"), [("mlp", "iris"), ("gan", "digits")])
def test_a_stack_trains_to_the_same_weights_without_recording(monkeypatch, learner, data):
    params = [{"learning_rate": 0.01, "dropout": 0.2}, {"learning_rate": 0.03, "dropout": 0.4}]
    losses, rows = trained(learner, data, params)
    monkeypatch.setattr(program, "record", lambda function, arguments: function)
    eager_losses, eager_rows = trained(learner, data, params)
    torch.testing.assert_close(eager_losses, losses, rtol=1e-4, atol=1e-5)
    for name, weights in rows.items():
        torch.testing.assert_close(eager_rows[name], weights, rtol=1e-3, atol=1e-4)
