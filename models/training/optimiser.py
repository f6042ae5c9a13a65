"""The optimisers that a study may choose, and the hyperparameters of each of their steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from nettuner.models.optimisers import KINDS, Optimiser, Settings


def build(network: nn.Module, kind: str) -> Optimiser:
    """An optimiser of this kind for the parameters of a network."""
    if kind not in KINDS:
        raise ValueError(f"no optimizer named {kind!r}; there are {', '.join(KINDS)}")
    return KINDS[kind](network.parameters())


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


def settings(network: str, now: Mapping[str, Any], step: int) -> Settings:
    """The current hyperparameters of a network's optimiser at a step, counted from 0."""
    return Settings(
        learning_rate(network, now, step),
        weight_decay=own(network, "weight_decay", now),
        momentum=own(network, "momentum", now),
        beta1=own(network, "beta1", now),
        beta2=own(network, "beta2", now),
    )
