"""Counter-based random numbers of a training step: a function of a key, without state.

A member of a stack must get the same dropout masks and noise as when trained alone, which a shared
generator cannot provide. So the numbers drawn in a step are a hash of (key, number of the draw,
position): the same on every device, and on a CPU several times faster than torch's generator.

Sources: counter-based generators, Salmon et al., Parallel random numbers: as easy as 1, 2, 3
(2011); mixing function `lowbias32`, Wellons' search for 32 bit integer hashes,
https://github.com/skeeto/hash-prospector.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as nn_functional

from nettuner.models.torch_private import TorchFunctionMode

# Signed, as torch's 32 bit integers are. The first is 2^32 over the golden ratio.
SPREAD = -1640531527
NEXT_DRAW = 0x5851F42D
FIRST_FACTOR = 0x7FEB352D
SECOND_FACTOR = -2073254261
BITS = 24
UNIT = 2.0**-BITS
MASK = 2**BITS - 1


def mixed(x: Tensor) -> Tensor:
    """Hash 32 bit integers in place: every bit of the result depends on every input bit."""
    x ^= (x >> 16).bitwise_and_(0xFFFF)
    x *= FIRST_FACTOR
    x ^= (x >> 15).bitwise_and_(0x1FFFF)
    x *= SECOND_FACTOR
    x ^= (x >> 16).bitwise_and_(0xFFFF)
    return x


def step_keys(seeds: NDArray[np.uint32], steps: NDArray[np.int64], network: int) -> Tensor:
    """The random key of every member at every step.

    Args:
        seeds: Seed of each member, shape [members].
        steps: Optimiser steps, counted over the whole training, shape [steps].
        network: Index of the network that is updated.

    Returns:
        Shape [steps, members], int32.
    """
    times = steps.astype(np.uint32) * np.uint32(0x9E3779B1) + np.uint32(
        network * 0x85EBCA6B % 2**32
    )
    x = times[:, None] ^ seeds
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x = (x ^ (x >> np.uint32(shift))) * np.uint32(factor)
    return torch.from_numpy((x ^ (x >> np.uint32(16))).view(np.int32))


# Of the keys that the orders of rows are made from; no learner has so many networks.
ORDERS = 2**16
# Most rows of all members together that are brought into an order at once.
MOST_ORDERED = 2**25


def orders(
    rows: int, seeds: NDArray[np.uint32], epoch: int, device: torch.device | str = "cpu"
) -> Tensor:
    """The order in which each member visits the rows in an epoch: sorted by a hash of each row.

    The hash is one to one, so no two rows are equal and every device finds the same order.

    Args:
        rows: Number of rows, below 2^31.
        seeds: Seed of each member, shape [members].
        epoch: Epoch, counted from 0.
        device: Device to sort on.

    Returns:
        Permutations, shape [members, rows], int64; int32 on an accelerator, where memory counts.
    """
    keys = step_keys(seeds, np.array([epoch]), ORDERS)[0].to(device)
    places = _places(rows, device)
    if keys.device.type == "cpu":  # numpy sorts faster
        hashes = [mixed(places + key).numpy() for key in keys]
        return torch.from_numpy(np.stack([np.argsort(of) for of in hashes]))
    together = max(1, MOST_ORDERED // rows)
    parts = torch.split(keys[:, None], together)
    return torch.cat([mixed(places + some).argsort(1).int() for some in parts])


@functools.lru_cache(maxsize=16)
def _places(count: int, device: torch.device | str) -> Tensor:
    """The positions 0, 1, 2 ..., spread over all 32 bit integers; cached for later steps."""
    return torch.arange(count, dtype=torch.int32, device=device) * SPREAD


class Randomness(TorchFunctionMode):
    """Context in which torch's random functions draw from a key.

    It covers dropout of elements and of channels, `rand`, `randn` and the `_like` of each, and
    attention with dropout. Other random functions draw from torch's own generator.
    """

    written_out = False
    """Whether attention is written out even without dropout."""

    def __init__(self) -> None:
        super().__init__()
        self._key: Tensor | None = None
        self._draws = 0

    def begin(self, key: Tensor) -> None:
        """Start a step: `key` is a scalar int32 tensor."""
        self._key = key
        self._draws = 0

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        known = KNOWN.get(func)
        if known is None:
            return func(*args, **(kwargs or {}))
        return known(self, func, *args, **(kwargs or {}))

    def bits(self, shape: Sequence[int], device: torch.device | str | None = None) -> Tensor:
        """Whole numbers in [0, 2^24), int32.

        Raises:
            RuntimeError: No step was begun.
        """
        if self._key is None:
            raise RuntimeError("nothing may be random here, got a draw; seed a generator")
        draw = self._draws
        self.skip()
        there = torch.get_default_device() if device is None else device
        return hashed(self._key, draw, shape, there)

    def skip(self) -> None:
        """Count a draw that is not needed at this rate, as members at other rates make it."""
        self._draws += 1

    def uniform(self, shape: Sequence[int], device: torch.device | str | None = None) -> Tensor:
        """Numbers in [0, 1), float32."""
        found: Tensor = self.bits(shape, device) * UNIT
        return found

    def normal(self, shape: Sequence[int], device: torch.device | str | None = None) -> Tensor:
        """Standard normal numbers, float32, by the Box-Muller transform."""
        radius = torch.sqrt(-2 * torch.log(1 - self.uniform(shape, device)))
        return radius * torch.cos(2 * math.pi * self.uniform(shape, device))

    def kept(self, shape: Sequence[int], rate: float | Tensor, like: Tensor) -> Tensor:
        """Dropout mask: 0 with probability `rate`, else 1 / (1 - rate)."""
        return factors(self.bits(shape, like.device), rate, like.dtype)


def hashed(keys: Tensor, draw: int, shape: Sequence[int], device: torch.device | str) -> Tensor:
    """Whole numbers in [0, 2^24), int32.

    Args:
        keys: Key of a step, or of several, shape [steps, 1, 1 ...] with a 1 for each dimension.
        draw: Number of the draw in its step.
        shape: Shape of a step's numbers.
        device: Device of the keys.
    """
    places = _places(math.prod(shape), device).view(tuple(shape))
    found: Tensor = mixed(places + (keys + NEXT_DRAW * draw)) & MASK
    return found


def factors(bits: Tensor, rate: float | Tensor, dtype: torch.dtype) -> Tensor:
    """Dropout mask: 0 where the bits are below `rate` of their range, else 1 / (1 - rate)."""
    rate = torch.as_tensor(rate, dtype=torch.float32, device=bits.device)
    kept = bits >= (rate * 2**BITS).to(torch.int32)
    # At a rate of 1 the factor overflows half precision: multiply in float32, then convert.
    factor: Tensor = (kept * (1 / (1 - rate).clamp(min=UNIT))).to(dtype)
    return factor


def never(rate: float | Tensor) -> bool:
    """Whether dropout at this rate is known to keep everything."""
    return isinstance(rate, int | float) and rate == 0


def _dropout(
    mode: Randomness,
    func: Callable[..., Tensor],
    input: Tensor,  # noqa: A002 - torch's name
    p: float | Tensor = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    train: bool = True,  # what `torch.dropout` calls it
) -> Tensor:
    """Dropout of single elements; of whole channels for `dropout1d`, `dropout2d`, `dropout3d`."""
    if not (training and train) or never(p):
        mode.skip()
        return input
    factor = mode.kept(_masked(func, input.shape), p, input)
    return input.mul_(factor) if inplace else input * factor


def _masked(func: Callable[..., Tensor], shape: torch.Size) -> Sequence[int]:
    """The shape of the mask: the whole input, or its batch and channels, as in torch."""
    if func not in WITHOUT_BATCH:
        return shape
    leading = 1 if len(shape) == WITHOUT_BATCH[func] else 2
    return [*shape[:leading], *[1] * (len(shape) - leading)]


# Functions that drop channels: number of dimensions at which an input has no batch axis.
WITHOUT_BATCH: dict[Callable[..., Any], int | None] = {
    nn_functional.dropout1d: 2,
    nn_functional.dropout2d: None,
    nn_functional.dropout3d: 4,
}


def _drawn(kind: str) -> Callable[..., Tensor]:
    """`rand` or `randn`, of a shape or like a tensor; torch's own if a generator is given."""

    def draw(
        mode: Randomness,
        func: Callable[..., Tensor],
        *args: Any,
        **kwargs: Any,
    ) -> Tensor:
        like = args[0] if args and isinstance(args[0], Tensor) else kwargs.get("input")
        usual = torch.get_default_dtype() if like is None else like.dtype
        dtype = kwargs.get("dtype") or usual
        foreign = kwargs.get("generator") is not None or kwargs.get("out") is not None
        if foreign or dtype.is_complex:
            return func(*args, **kwargs)
        size = kwargs.get("size", args[0] if len(args) == 1 else args)
        shape = like.shape if like is not None else size if isinstance(size, Sequence) else (size,)
        device = kwargs.get("device", like.device if like is not None else None)
        found: Tensor = getattr(mode, kind)(tuple(shape), device).to(dtype)
        return found.requires_grad_() if kwargs.get("requires_grad") else found

    return draw


def _attention(
    mode: Randomness,
    func: Callable[..., Tensor],
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float | Tensor = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    **more: Any,
) -> Tensor:
    """Attention written out, because the dropout inside torch's own cannot be replaced."""
    if more.get("enable_gqa") or (never(dropout_p) and not mode.written_out):
        mode.skip()
        return func(query, key, value, attn_mask, dropout_p, is_causal, scale=scale, **more)
    scores = query @ key.transpose(-2, -1) * (scale or 1 / math.sqrt(query.shape[-1]))
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=query.device).tril()
    weights = _softmax(scores, attn_mask)
    if never(dropout_p):
        mode.skip()
        return weights @ value
    return weights * mode.kept(weights.shape, dropout_p, weights) @ value


def _softmax(scores: Tensor, mask: Tensor | None) -> Tensor:
    """Softmax over the unmasked entries; zeros where all are masked, as in torch."""
    if mask is None:
        return torch.softmax(scores, -1)
    seen = mask if mask.dtype == torch.bool else mask > -math.inf
    scores = scores if mask.dtype == torch.bool else scores + mask
    # Finite, because a row of minus infinity has a NaN gradient.
    scores = torch.where(seen, scores, torch.finfo(scores.dtype).min)
    return torch.softmax(scores, -1) * seen.any(-1, keepdim=True)


KNOWN: dict[Callable[..., Any], Callable[..., Tensor]] = {
    nn_functional.dropout: _dropout,
    torch.dropout: _dropout,
    nn_functional.dropout1d: _dropout,
    nn_functional.dropout2d: _dropout,
    nn_functional.dropout3d: _dropout,
    torch.rand: _drawn("uniform"),
    torch.rand_like: _drawn("uniform"),
    torch.randn: _drawn("normal"),
    torch.randn_like: _drawn("normal"),
    nn_functional.scaled_dot_product_attention: _attention,
}
