"""What `torch.func` leaves out of half precision, and autocast does for a network alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.nn import functional

from nettuner.models.torch_private import tree_map

Value = TypeVar("Value")

# Their sums are in float32 even in half precision, but vectorised they refuse weights in float32.
NORMS = {functional.batch_norm, torch.batch_norm, functional.instance_norm, torch.instance_norm}
# On accelerators autocast itself lets these compute in float32.
NORMS_OF_A_CPU = {functional.layer_norm, torch.layer_norm, functional.group_norm, torch.group_norm}


def is_half(tensor: Tensor) -> bool:
    """Whether a tensor is in half precision."""
    return tensor.dtype in (torch.bfloat16, torch.float16)


def is_norm_in_half(func: Callable[..., Any], args: tuple[Any, ...]) -> bool:
    """Whether a call normalises a tensor in half precision, and has to be in float32 instead."""
    if func not in NORMS | NORMS_OF_A_CPU or not args or not is_half(args[0]):
        return False
    return func in NORMS or args[0].device.type == "cpu"


def converted(arguments: Value) -> Value:
    """Arguments of a convolution in the precision that autocast would give it."""

    def convert(given: Any) -> Any:
        is_meant = isinstance(given, Tensor) and given.dtype == torch.float32
        if not is_meant or not torch.is_autocast_enabled(given.device.type):
            return given
        return given.to(torch.get_autocast_dtype(given.device.type))

    found: Value = tree_map(convert, arguments)
    return found


def in_float32(loss: Tensor) -> Tensor:
    """A loss in float32, where it is in half precision."""
    return loss.float() if is_half(loss) else loss
