"""Optimisers that are told their hyperparameters at every step.

They move weights with the fused kernels of torch, and keep the same state as its own optimisers,
whose first step would import a compiler that takes longer than all the rest of torch.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from nettuner.models.torch_private import fused_adam, fused_adamw, fused_sgd

EPSILON = 1e-8
MEAN_SQUARE_DECAY = 0.99

Moments = dict[str, Tensor]


class Group(NamedTuple):
    """Weights of one device and type, with their gradients and what is remembered of each."""

    weights: list[Tensor]
    grads: list[Tensor]
    moments: list[Moments]


@dataclass(frozen=True)
class Settings:
    """The hyperparameters of one step; each optimiser uses its own of them.

    Args:
        learning_rate: Learning rate.
        weight_decay: Weight decay.
        momentum: Momentum of SGD and RMSprop.
        beta1, beta2: Decay rates of Adam's and AdamW's moments.
        clip_norm: Largest norm of all gradients of the network together; 0 for no limit.
    """

    learning_rate: float
    weight_decay: float = 0.0
    momentum: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.999
    clip_norm: float = 0.0


def clip(grads: list[Tensor], largest: float) -> None:
    """Scale gradients down, in place, to a common norm of at most `largest`.

    Source: Pascanu et al. (2013), arXiv:1211.5063, algorithm 1.
    """
    norms = torch._foreach_norm(grads)
    if norms[0].device.type != "cpu":  # without waiting for the device
        norm = torch.stack(norms).norm()
        torch._foreach_mul_(grads, (largest / norm).clamp(max=1.0))
        return
    whole = math.hypot(*(each.item() for each in norms))
    if whole > largest:
        torch._foreach_mul_(grads, largest / whole)


class Optimiser(ABC):
    """Moves the parameters of one network that have gradients.

    Args:
        parameters: Parameters, in the order of the network.
    """

    moments: ClassVar[tuple[str, ...]]
    """The names of what it remembers of each parameter, as in torch."""

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        self.parameters = list(parameters)
        self.state: dict[int, Moments] = {}
        """What is remembered, by the index of the parameter; none before its first gradient."""
        self.learning_rate = math.nan
        """The learning rate that the latest step has used."""

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def load(self, state: Mapping[int, Mapping[str, Tensor]]) -> None:
        """Go on from a state that was saved."""
        self.state = {
            index: {name: of.to(self.parameters[index].device) for name, of in moments.items()}
            for index, moments in state.items()
        }

    @property
    def grads(self) -> list[Tensor]:
        """The gradients of the parameters that have one."""
        return [p.grad for p in self.parameters if p.grad is not None]

    @torch.no_grad()
    def step(self, settings: Settings, skip: Tensor | None = None) -> None:
        """Move every parameter that has a gradient.

        Args:
            settings: Hyperparameters of this step.
            skip: 1.0 for a step that is to change nothing, else 0.0, as a scalar tensor on the
                device, which is not waited for; None for 0.0.
        """
        if settings.clip_norm:
            clip(self.grads, settings.clip_norm)
        kinds: dict[tuple[torch.device, torch.dtype], list[int]] = {}
        for index, parameter in enumerate(self.parameters):
            if parameter.grad is not None:
                kinds.setdefault((parameter.device, parameter.dtype), []).append(index)
        for indices in kinds.values():
            moments = [self._remembered(index) for index in indices]
            weights: list[Tensor] = [self.parameters[index] for index in indices]
            grads = [_grad(self.parameters[index]) for index in indices]
            self.move(Group(weights, grads, moments), settings, skip)
        self.learning_rate = settings.learning_rate

    def _remembered(self, index: int) -> Moments:
        moments = self.state.setdefault(index, {})
        weights = self.parameters[index]
        for name in self.moments:
            if name not in moments:
                moments[name] = (
                    torch.zeros((), dtype=torch.float32, device=weights.device)
                    if name == "step"
                    else torch.zeros_like(weights, memory_format=torch.preserve_format)
                )
        return moments

    @abstractmethod
    def move(self, group: Group, settings: Settings, skip: Tensor | None) -> None:
        """Move the weights of a group; see `step`."""


def _grad(parameter: nn.Parameter) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad


class Adam(Optimiser):
    """Adam. Source: Kingma and Ba (2015), arXiv:1412.6980."""

    moments = ("step", "exp_avg", "exp_avg_sq")
    kernel = staticmethod(fused_adam)

    def move(self, group: Group, settings: Settings, skip: Tensor | None) -> None:
        """See `Optimiser.move`."""
        steps = [of["step"] for of in group.moments]
        torch._foreach_add_(steps, 1)
        self.kernel(
            group.weights,
            group.grads,
            [of["exp_avg"] for of in group.moments],
            [of["exp_avg_sq"] for of in group.moments],
            [],
            steps,
            lr=settings.learning_rate,
            beta1=settings.beta1,
            beta2=settings.beta2,
            weight_decay=settings.weight_decay,
            eps=EPSILON,
            amsgrad=False,
            maximize=False,
            found_inf=skip,
        )
        if skip is not None:
            torch._foreach_sub_(steps, [skip] * len(steps))


class AdamW(Adam):
    """Adam with decoupled weight decay. Source: Loshchilov and Hutter (2019), arXiv:1711.05101."""

    kernel = staticmethod(fused_adamw)


class SGD(Optimiser):
    """Stochastic gradient descent with momentum."""

    moments = ("momentum_buffer",)

    def move(self, group: Group, settings: Settings, skip: Tensor | None) -> None:
        """See `Optimiser.move`."""
        fused_sgd(
            group.weights,
            group.grads,
            [of["momentum_buffer"] for of in group.moments] if settings.momentum else [],
            lr=settings.learning_rate,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            dampening=0.0,
            nesterov=False,
            maximize=False,
            is_first_step=False,  # a buffer of zeros is equivalent
            found_inf=skip,
        )


class RMSprop(Optimiser):
    """RMSprop. Source: Tieleman and Hinton (2012), lecture 6.5."""

    moments = ("step", "square_avg", "momentum_buffer")

    def move(self, group: Group, settings: Settings, skip: Tensor | None) -> None:
        """See `Optimiser.move`."""
        changed = [*group.weights, *(moment for of in group.moments for moment in of.values())]
        before = [] if skip is None else [tensor.clone() for tensor in changed]
        for weight, grad, of in zip(*group, strict=True):
            of["step"] += 1
            if settings.weight_decay:
                grad = grad.add(weight, alpha=settings.weight_decay)
            square, buffer = of["square_avg"], of["momentum_buffer"]
            square.mul_(MEAN_SQUARE_DECAY).addcmul_(grad, grad, value=1 - MEAN_SQUARE_DECAY)
            average = square.sqrt().add_(EPSILON)
            if settings.momentum:
                buffer.mul_(settings.momentum).addcdiv_(grad, average)
                weight.add_(buffer, alpha=-settings.learning_rate)
            else:
                weight.addcdiv_(grad, average, value=-settings.learning_rate)
        if skip is not None:
            for tensor, was in zip(changed, before, strict=True):
                tensor.copy_(torch.where(skip > 0, was, tensor))


KINDS: Mapping[str, type[Optimiser]] = {
    "sgd": SGD,
    "adam": Adam,
    "adamw": AdamW,
    "rmsprop": RMSprop,
}
