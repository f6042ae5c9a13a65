"""The optimisers that a study may choose, and the hyperparameters of each of their steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import nn

from nettuner.models import schedules
from nettuner.models.optimisers import KINDS, Optimiser, Settings


class Schedule(NamedTuple):
    """What decides the course of a learning rate, apart from its height."""

    schedule: str
    warmup_steps: int
    peak_at: float
    step_every: float
    step_factor: float


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
    return rate * _share(_schedule(network, now), step, steps)


def learning_rates(
    network: str, nows: Sequence[Mapping[str, Any]], at: Sequence[int], steps: int
) -> NDArray[np.float64]:
    """The learning rates of several members at several steps, shape [steps, members].

    Args:
        network: Name of the network.
        nows: Current hyperparameters of each member.
        at: Optimiser steps, counted from 0 over the whole training.
        steps: Optimiser steps of the whole training.
    """
    schedules_ = [_schedule(network, now) for now in nows]
    shares = {of: [_share(of, step, steps) for step in at] for of in set(schedules_)}
    rates = [float(own(network, "learning_rate", now)) for now in nows]
    heights: NDArray[np.float64] = np.array(rates)
    return np.array([shares[of] for of in schedules_], np.float64).T * heights


def _schedule(network: str, now: Mapping[str, Any]) -> Schedule:
    return Schedule(*(own(network, name, now) for name in Schedule._fields))


def _share(of: Schedule, step: int, steps: int) -> float:
    """The share of the highest rate that is in force at a step."""
    if of.schedule == "one-cycle":
        return schedules.one_cycle(step, steps, of.peak_at)
    if step < of.warmup_steps:
        return (step + 1) / of.warmup_steps
    step, steps = step - of.warmup_steps, steps - of.warmup_steps
    match of.schedule:
        case "linear":
            return schedules.linear(step, steps)
        case "cosine":
            return schedules.cosine(step, steps)
        case "step":
            return schedules.staircase(step, steps, of.step_every, of.step_factor)
    return 1.0


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
