"""A convolution in a loop over the members of a stack.

Under `vmap` a convolution becomes a grouped one, which on a CPU is slower than a loop: only a
single group has fast kernels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from nettuner.models.torch_private import convolution_backward

Sizes = tuple[int, ...]
InDims = tuple[int | None, ...]


def convolution(
    inputs: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    """Like `torch.conv2d`, for use under `vmap`."""
    if isinstance(padding, str) or inputs.dim() != 4:
        return torch.conv2d(inputs, weight, bias, stride, padding, dilation, groups)
    sizes = tuple((s, s) if isinstance(s, int) else tuple(s) for s in (stride, padding, dilation))
    answer: Tensor = _Forward.apply(  # type: ignore[no-untyped-call]
        inputs, weight, bias, (*sizes, groups)
    )
    return answer


def _channels_last(images: Tensor) -> Tensor:
    """The images with channels innermost in memory, the fastest layout on a CPU."""
    return images.to(memory_format=torch.channels_last)


def _members(in_dims: InDims, tensors: Sequence[Any], count: int) -> list[list[Any]]:
    """The tensors of each member; those without a batch dimension are shared."""
    return [
        [t if d is None else t.select(d, m) for t, d in zip(tensors, in_dims, strict=True)]
        for m in range(count)
    ]


def _joined(parts: list[Tensor]) -> Tensor:
    """The parts along a new first axis, with the memory layout of the parts."""
    joined = torch.cat(parts)
    return joined.view(len(parts), len(joined) // len(parts), *joined.shape[1:])


def _convolve(inputs: Tensor, weight: Tensor, bias: Tensor | None, how: Any) -> Tensor:
    stride, padding, dilation, groups = how
    return torch.conv2d(_channels_last(inputs), weight, bias, stride, padding, dilation, groups)


def _differentiate(
    grad: Tensor, images: Tensor, weight: Tensor, how: Any, of_images: bool
) -> tuple[Tensor, ...]:
    """Gradients of weight and bias, and of the images if `of_images`."""
    stride, padding, dilation, groups = how
    to_images, to_weight, to_bias = convolution_backward(
        _channels_last(grad),
        _channels_last(images),
        weight,
        [weight.shape[0]],
        list(stride),
        list(padding),
        list(dilation),
        False,
        [0, 0],
        groups,
        [of_images, True, True],
    )
    return (to_weight, to_bias, to_images) if of_images else (to_weight, to_bias)


class _Forward(torch.autograd.Function):
    @staticmethod
    def forward(inputs: Tensor, weight: Tensor, bias: Tensor | None, how: Any) -> Tensor:
        return _convolve(inputs, weight, bias, how)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        images, weight, bias, ctx.how = inputs
        ctx.with_bias = bias is not None
        ctx.save_for_backward(images, weight)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        images, weight = ctx.saved_tensors
        of_images = ctx.needs_input_grad[0]
        found = _Backward.apply(  # type: ignore[no-untyped-call]
            grads[0], images, weight, ctx.how, of_images
        )
        return (
            found[2] if of_images else None,
            found[0],
            found[1] if ctx.with_bias else None,
            None,
        )

    @staticmethod
    def vmap(
        info: Any, in_dims: InDims, inputs: Tensor, weight: Tensor, bias: Tensor | None, how: Any
    ) -> tuple[Tensor, int]:
        members = _members(in_dims[:3], (inputs, weight, bias), info.batch_size)
        return _joined([_convolve(m[0], m[1], m[2], how) for m in members]), 0


class _Backward(torch.autograd.Function):
    @staticmethod
    def forward(
        grad: Tensor, images: Tensor, weight: Tensor, how: Any, of_images: bool
    ) -> tuple[Tensor, ...]:
        return _differentiate(grad, images, weight, how, of_images)

    @staticmethod
    def setup_context(ctx: FunctionCtx, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Tensor) -> tuple[None, ...]:
        raise NotImplementedError("a convolution in a stack has no second derivative")

    @staticmethod
    def vmap(
        info: Any,
        in_dims: InDims,
        grad: Tensor,
        images: Tensor,
        weight: Tensor,
        how: Any,
        of_images: bool,
    ) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        members = _members(in_dims[:3], (grad, images, weight), info.batch_size)
        found = [_differentiate(m[0], m[1], m[2], how, of_images) for m in members]
        columns = list(zip(*found, strict=True))
        together = tuple(
            _joined(list(c)) if of_images and i == 2 else torch.stack(c)
            for i, c in enumerate(columns)
        )
        return together, (0,) * len(together)
