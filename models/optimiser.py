"""The optimisers a study may choose, driven by the hyperparameters of the moment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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


def steer(optimiser: Optimizer, network: str, now: Mapping[str, Any]) -> None:
    """Set learning rate, momentum or betas, and weight decay to this moment's values.

    Where there are several networks, `<network>_learning_rate` goes before `learning_rate`, and
    so for the others.
    """

    def value(name: str) -> Any:
        return now.get(f"{network}_{name}", now[name])

    for group in optimiser.param_groups:
        group["lr"] = value("learning_rate")
        group["weight_decay"] = value("weight_decay")
        if "betas" in group:
            group["betas"] = (value("beta1"), value("beta2"))
        else:
            group["momentum"] = value("momentum")
