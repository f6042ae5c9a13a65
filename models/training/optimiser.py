"""The optimisers that a study may choose, and the hyperparameters of each of their steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from nettuner.models import schedules
from nettuner.models.optimisers import KINDS, Optimiser, Settings


def build(network: nn.Module, kind: str) -> Optimiser:
    """An optimiser of this kind for the parameters of a network."""
    if kind not in KINDS:
        raise ValueError(f"no optimizer named {kind!r}; there are {', '.join(KINDS)}")
    return KINDS[kind](network.parameters())


def own(network: str, name: str, now: Mapping[str, Any]) -> Any:
    """A network's own `<network>_<name>`, or else the `name` shared by all networks."""
    return now.get(f"{network}_{name}", now[name])


def learning_rate(network: str, now: Mapping[str, Any], step: int, steps: int) -> float:
    """The learning rate at a step: warm-up first, then the schedule over the remaining steps.

    One cycle warms up by itself, over its own share of the training.

    Source: Goyal et al. (2017), arXiv:1706.02677, section 2.2, for the linear warm-up.

    Args:
        network: Name of the network.
        now: Current hyperparameters; their learning rate is the highest of the schedule.
        step: Optimiser step, counted from 0 over the whole training.
        steps: Optimiser steps of the whole training.
    """
    rate: float = own(network, "learning_rate", now)
    warmup: int = own(network, "warmup_steps", now)
    schedule = own(network, "schedule", now)
    if schedule == "one-cycle":
        return rate * schedules.one_cycle(step, steps, own(network, "peak_at", now))
    if step < warmup:
        return rate * ((step + 1) / warmup)
    step, steps = step - warmup, steps - warmup
    match schedule:
        case "linear":
            return rate * schedules.linear(step, steps)
        case "cosine":
            return rate * schedules.cosine(step, steps)
        case "step":
            every, factor = own(network, "step_every", now), own(network, "step_factor", now)
            return rate * schedules.staircase(step, steps, every, factor)
    return rate


def settings(network: str, now: Mapping[str, Any], step: int, steps: int) -> Settings:
    """The hyperparameters of a network's optimiser at a step; arguments as of `learning_rate`."""
    return Settings(
        learning_rate(network, now, step, steps),
        weight_decay=own(network, "weight_decay", now),
        momentum=own(network, "momentum", now),
        beta1=own(network, "beta1", now),
        beta2=own(network, "beta2", now),
        clip_norm=own(network, "clip_norm", now),
    )
