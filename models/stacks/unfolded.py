"""A convolution as one product of matrices for each member of a stack.

Under `vmap` a convolution becomes a grouped one; on a GPU the product of all members is often
faster, for the price of the memory of every patch of the images.

Source: Chellapilla et al. (2006), High performance convolutional neural networks for document
processing, section 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

Pair = tuple[int, int]


def convolution(
    inputs: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    """Like `torch.conv2d`, for use under `vmap`; one that leaves out places is left to torch."""
    dense = groups == 1 and _pair(dilation) == _pair(stride) == (1, 1) and inputs.dim() == 4
    if not dense or isinstance(padding, str):
        return torch.conv2d(inputs, weight, bias, stride, padding, dilation, groups)
    margins = _pair(padding)
    if any(margin >= side for margin, side in zip(margins, weight.shape[2:], strict=True)):
        return torch.conv2d(inputs, weight, bias, stride, padding, dilation, groups)
    images: Tensor = _Product.apply(inputs, weight, margins)  # type: ignore[no-untyped-call]
    return images if bias is None else images + bias[:, None, None]


def _pair(value: int | Sequence[int]) -> Pair:
    """A number for both axes, or one for each."""
    return (value, value) if isinstance(value, int) else (value[0], value[-1])


def _patches(images: Tensor, sides: Sequence[int], margins: Pair) -> Tensor:
    """The patches of images [rows, channels, height, width].

    Returns:
        Shape [channels x sides, rows x places].
    """
    high, wide = margins
    padded = functional.pad(images, (wide, wide, high, high)) if high or wide else images
    found = padded.unfold(2, sides[0], 1).unfold(3, sides[1], 1)
    columns = images.shape[1] * sides[0] * sides[1]
    return found.permute(1, 4, 5, 0, 2, 3).reshape(columns, -1)


def _product(images: Tensor, weight: Tensor, margins: Pair) -> Tensor:
    rows, _, height, width = images.shape
    high = height + 2 * margins[0] - weight.shape[2] + 1
    wide = width + 2 * margins[1] - weight.shape[3] + 1
    found = weight.flatten(1) @ _patches(images, weight.shape[2:], margins)
    return found.view(len(weight), rows, high, wide).transpose(0, 1)


class _Product(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(images: Tensor, weight: Tensor, margins: Pair) -> Tensor:
        return _product(images, weight, margins)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        images, weight, ctx.margins = inputs
        ctx.save_for_backward(images, weight)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        images, weight = ctx.saved_tensors
        (grad,), sides = grads, weight.shape[2:]
        patches = _patches(images, sides, ctx.margins)
        to_weight = grad.transpose(0, 1).flatten(1) @ patches.T
        if not ctx.needs_input_grad[0]:
            return None, to_weight.view_as(weight), None
        turned = weight.flip(2, 3).transpose(0, 1)
        margins = tuple(side - 1 - m for side, m in zip(sides, ctx.margins, strict=True))
        to_images: Tensor = _Product.apply(grad, turned, margins)  # type: ignore[no-untyped-call]
        return to_images, to_weight.view_as(weight), None
