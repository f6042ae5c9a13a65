"""The optimisers a study may choose, set to the current hyperparameters before each step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop


def build(network: nn.Module, kind: str) -> Optimizer:
    """An optimiser of this kind; `steer` sets its hyperparameters before each step."""
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
    """A network's own `<network>_<name>`, or else the `name` shared by all networks."""
    return now.get(f"{network}_{name}", now[name])


def learning_rate(network: str, now: Mapping[str, Any], step: int) -> float:
    """The learning rate at a step, counted from 0, with linear warm-up.

    Source: Goyal et al. (2017), arXiv:1706.02677, section 2.2.
    """
    rate: float = own(network, "learning_rate", now)
    warmup: int = own(network, "warmup_steps", now)
    return rate * min(1.0, (step + 1) / warmup) if warmup else rate


def steer(optimiser: Optimizer, network: str, now: Mapping[str, Any], step: int) -> None:
    """Set learning rate, momentum or betas, and weight decay to their current values."""
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
    """Add momentum buffers: RMSprop creates none if its first step has no momentum."""
    for parameter, state in optimiser.state.items():
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
