"""The optimisers a study may choose, driven by the hyperparameters of the moment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop


def build(network: nn.Module, kind: str) -> Optimizer:
    """An optimiser of this kind; `steer` gives it its numbers before each step."""
    parameters = list(network.parameters())
    match kind:
        case "sgd":
            return SGD(parameters, fused=True)
        case "adam":
            return Adam(parameters, fused=True)
        case "adamw":
            return AdamW(parameters, fused=True)
        case "rmsprop":
            return RMSprop(parameters)
    raise ValueError(f"no optimizer named {kind!r}; there are sgd, adam, adamw, rmsprop")


def own(network: str, name: str, now: Mapping[str, Any]) -> Any:
    """A network's own `<network>_<name>`, or else the `name` of all networks."""
    return now.get(f"{network}_{name}", now[name])


def learning_rate(network: str, now: Mapping[str, Any], step: int) -> float:
    """The learning rate in force at a step, counted from 0: it rises linearly while it warms up.

    Source: Goyal et al. (2017), arXiv:1706.02677, section 2.2.
    """
    rate: float = own(network, "learning_rate", now)
    warmup: int = own(network, "warmup_steps", now)
    return rate * min(1.0, (step + 1) / warmup) if warmup else rate


def steer(optimiser: Optimizer, network: str, now: Mapping[str, Any], step: int) -> None:
    """Set learning rate, momentum or betas, and weight decay to this moment's values."""
    for group in optimiser.param_groups:
        group["lr"] = learning_rate(network, now, step)
        group["weight_decay"] = own(network, "weight_decay", now)
        if "betas" in group:
            group["betas"] = (own(network, "beta1", now), own(network, "beta2", now))
        else:
            group["momentum"] = own(network, "momentum", now)
    if isinstance(optimiser, RMSprop):
        _give_buffers(optimiser)


def _give_buffers(optimiser: RMSprop) -> None:
    """RMSprop cannot start with momentum later on: it makes its buffers at the first step."""
    for parameter, state in optimiser.state.items():
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
