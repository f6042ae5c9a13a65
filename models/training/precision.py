"""The precision in which a loss is computed; weights, optimisers and evaluation stay in float32.

`bf16` and `fp16` compute in bfloat16 or float16 what is safe to; the second needs a scale of the
loss (`loss_scale.py`). `tf32` rounds the factors of products to 10 bits on GPUs that have such
units, and is float32 elsewhere.

Source: Micikevicius et al. (2018), arXiv:1710.03740.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch

HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}


def converting(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """Converts what a loss is computed from, inside the block.

    A weight that is used twice is converted twice: its gradients are then added in float32, and
    `torch.func` can trace it.

    Args:
        precision: One of `learner.PRECISION`.
        device: Device of the computation.
    """
    if precision not in HALF:
        return nullcontext()
    return torch.autocast(device.type, HALF[precision], cache_enabled=False)


def multiplying(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """Decides how a loss and its gradients are multiplied, inside the block; arguments as above."""
    return _rounded(True) if precision == "tf32" and device.type == "cuda" else nullcontext()


def in_full(device: torch.device) -> AbstractContextManager[Any]:
    """float32 is float32 inside the block, as on a CPU: torch's own default for convolutions on
    GPUs is TF32."""
    return _rounded(False) if device.type == "cuda" else nullcontext()


@contextmanager
def _rounded(tf32: bool) -> Iterator[None]:
    """Whether products and convolutions are in TF32 inside the block."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = tf32
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before
