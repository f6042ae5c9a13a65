"""Makes the stack that suits a device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from nettuner.models.learner import Learner, Now
from nettuner.models.stacks.device_stack import DeviceStack
from nettuner.models.stacks.program import Convolution
from nettuner.models.stacks.stack import Program, Seed, Stack
from nettuner.models.training.device import CPU


def stack_of(
    learner: Learner,
    params: Sequence[Now],
    seeds: Sequence[Seed],
    programs: dict[Any, Program],
    *,
    convolution: Convolution = "groups",
    device: torch.device = CPU,
) -> Stack:
    """A stack of freshly initialised members; arguments and errors as of `Stack`."""
    kind = Stack if device.type == "cpu" else DeviceStack
    return kind(learner, params, seeds, programs, convolution=convolution, device=device)
