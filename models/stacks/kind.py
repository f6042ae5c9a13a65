"""The kind of stack that suits a device."""

from __future__ import annotations

import torch

from nettuner.models.stacks.device_stack import DeviceStack
from nettuner.models.stacks.stack import Stack


def kind_for(device: torch.device) -> type[Stack]:
    """The class of stacks on this device."""
    return Stack if device.type == "cpu" else DeviceStack
