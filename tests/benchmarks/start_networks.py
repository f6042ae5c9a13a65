"""The networks of `start.py` in an ordinary training loop, as users of other tuners write one.

Runs in an environment of its own (`requirements-start.txt`), where nettuner is not installed. As
nettuner does: the same network, shares of rows, standardised inputs, optimisers (fused), epochs,
mini-batches and a validation after each epoch; one thread, which is the fastest for these networks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits, load_wine
from torch import Tensor, nn
from torch.nn import functional

HELD_OUT = 0.2  # of all rows, for validation; as many for a test


@dataclass(frozen=True)
class Workload:
    """What is trained: the data, for how long, in which mini-batches."""

    load: Callable[..., Any]
    epochs: int
    batch_size: int


WORKLOADS = {"wine": Workload(load_wine, 30, 16), "digits": Workload(load_digits, 60, 64)}
DIGITS = {"hidden": 64, "layers": 1, "dropout": 0.0, "optimizer": "sgd"}


class Rows:
    """Training and validation rows of a workload."""

    def __init__(self, workload: Workload) -> None:
        inputs, targets = workload.load(return_X_y=True)
        order = np.random.default_rng(0).permutation(len(targets))
        part = round(HELD_OUT * len(targets))
        validation, train = order[part : 2 * part], order[2 * part :]
        mean, spread = inputs[train].mean(0), inputs[train].std(0)
        inputs = ((inputs - mean) / np.where(spread > 0, spread, 1)).astype(np.float32)
        self.train = torch.from_numpy(inputs[train]), torch.from_numpy(targets[train])
        self.validation = (
            torch.from_numpy(inputs[validation]),
            torch.from_numpy(targets[validation]),
        )
        self.features, self.classes = inputs.shape[1], int(targets.max()) + 1


def network(rows: Rows, params: Mapping[str, Any]) -> nn.Module:
    """The network of deploy/studies/own_net.py."""
    parts: list[nn.Module] = [nn.Flatten()]
    width = rows.features
    for _ in range(params["layers"]):
        parts += [nn.Linear(width, params["hidden"]), nn.ReLU(), nn.Dropout(params["dropout"])]
        width = params["hidden"]
    return nn.Sequential(*parts, nn.Linear(width, rows.classes))


def optimiser(net: nn.Module, params: Mapping[str, Any]) -> torch.optim.Optimizer:
    """One of a trial's kind."""
    rate, decay = params["learning_rate"], params.get("weight_decay", 0.0)
    if params["optimizer"] == "sgd":
        return torch.optim.SGD(
            net.parameters(), rate, params["momentum"], weight_decay=decay, fused=True
        )
    return torch.optim.AdamW(net.parameters(), rate, weight_decay=decay, fused=True)


def trained(workload: Workload, rows: Rows, params: Mapping[str, Any]) -> Iterator[float]:
    """The validation loss after each epoch of one trial."""
    torch.set_num_threads(1)
    net = network(rows, params)
    steps = optimiser(net, params)
    inputs, targets = rows.train
    for _ in range(workload.epochs):
        net.train()
        for batch in torch.randperm(len(targets)).split(workload.batch_size):
            loss = functional.cross_entropy(net(inputs[batch]), targets[batch])
            steps.zero_grad()
            loss.backward()
            steps.step()
        yield validated(net, *rows.validation)


def validated(net: nn.Module, inputs: Tensor, targets: Tensor) -> float:
    """The validation loss."""
    net.eval()
    with torch.no_grad():
        return functional.cross_entropy(net(inputs), targets).item()
