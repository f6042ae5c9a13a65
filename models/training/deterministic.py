"""Trainings that give the same bits whenever they are repeated on the same device.

Source: https://docs.pytorch.org/docs/stable/notes/randomness.html
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

# How torch begins to say that an operation has no such version; its own ways out do not fit here.
REFUSAL = "does not have a deterministic implementation"


class IndeterminateError(RuntimeError):
    """An operation gives other bits whenever it is repeated, where a study asks for the same."""


@contextmanager
def deterministic(wanted: bool) -> Iterator[None]:
    """Compute by deterministic operations alone inside the block, if it is wanted.

    cuBLAS also needs a word in the environment before CUDA is touched: a worker's place says it.

    Raises:
        IndeterminateError: One has no deterministic version.
    """
    if not wanted:
        yield
        return
    cudnn = torch.backends.cudnn
    enabled = torch.are_deterministic_algorithms_enabled()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    before = cudnn.deterministic, cudnn.benchmark
    torch.use_deterministic_algorithms(True)
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    except RuntimeError as error:
        if REFUSAL not in str(error):
            raise
        operation = str(error).partition(REFUSAL)[0].strip()
        raise IndeterminateError(
            f"with deterministic: true every operation must have a deterministic version, got "
            f"{operation}, which has none on this device; replace it, or drop deterministic"
        ) from error
    finally:
        torch.use_deterministic_algorithms(enabled, warn_only=warns)
        cudnn.deterministic, cudnn.benchmark = before
