"""Optimiser steps for all members of a stack, each with its own hyperparameters.

The weights of a member are one row, so a step is one call of torch's fused kernel per member. On a
CPU that is faster than arithmetic over all rows, which makes several passes over memory.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from nettuner.models.optimisers import EPSILON, MEAN_SQUARE_DECAY, clip
from nettuner.models.torch_private import fused_adam, fused_adamw, fused_sgd
from nettuner.models.training import optimiser

State = Mapping[str, Tensor]


class StackedOptimiser(ABC):
    """The optimiser state of all members, under the same names as in torch's optimisers.

    Args:
        weights: Weights, shape [members, parameters]; updated in place.
    """

    moments: ClassVar[Sequence[str]]
    counts: ClassVar[bool] = True
    """Whether it counts its steps."""

    def __init__(self, weights: Tensor) -> None:
        self.weights = weights
        self.parts: tuple[tuple[int, int], ...] = ((0, weights.shape[1]),)
        """Ranges of the parameters that have gradients; a step updates no others."""
        self.state = {name: torch.zeros_like(weights) for name in self.moments}
        self.steps = [torch.zeros((), device=weights.device) for _ in weights]
        self.rates = [math.nan] * len(weights)
        """The learning rate passed to the kernel at each member's latest step."""
        self._views: dict[Any, list[Tensor]] = {}

    def step(
        self,
        grads: Tensor,
        network: str,
        nows: Sequence[Mapping[str, Any]],
        at: int,
        steps: int,
        skip: Tensor | None = None,
    ) -> None:
        """Update every member's weights.

        Args:
            grads: Gradients, shape [members, parameters]; those of a member that are too long are
                scaled in place.
            network: Name of the network that has these weights.
            nows: Current hyperparameters of each member.
            at: Optimiser step, counted from 0.
            steps: Optimiser steps of the whole training.
            skip: Whether a member's step is to change nothing, shape [members]; None for no member.
        """
        skipped = [False] * len(nows) if skip is None else skip.tolist()
        for member, now in enumerate(nows):
            if skipped[member]:
                self.rates[member] = optimiser.learning_rate(network, now, at, steps)
                continue
            largest = optimiser.own(network, "clip_norm", now)
            if largest:
                clip(self.of(grads, member), largest)
            rate = optimiser.learning_rate(network, now, at, steps)
            self.rates[member] = self.move(member, grads, network, now, rate)

    def of(self, rows: Tensor, member: int) -> list[Tensor]:
        """The parts of a member's row that have gradients; cached, as every step uses them."""
        key = (id(rows), self.parts, member)
        if key not in self._views:
            self._views[key] = [rows[member, slice(*part)] for part in self.parts]
        return self._views[key]

    @abstractmethod
    def move(
        self, member: int, grads: Tensor, network: str, now: Mapping[str, Any], rate: float
    ) -> float:
        """Update one member's weights; returns the learning rate used."""


class _Adam(StackedOptimiser):
    moments = ("exp_avg", "exp_avg_sq")
    kernel = staticmethod(fused_adam)

    def move(
        self, member: int, grads: Tensor, network: str, now: Mapping[str, Any], rate: float
    ) -> float:
        self.steps[member] += 1
        self.kernel(
            self.of(self.weights, member),
            self.of(grads, member),
            self.of(self.state["exp_avg"], member),
            self.of(self.state["exp_avg_sq"], member),
            [],
            [self.steps[member]] * len(self.parts),
            lr=rate,
            beta1=optimiser.own(network, "beta1", now),
            beta2=optimiser.own(network, "beta2", now),
            weight_decay=optimiser.own(network, "weight_decay", now),
            eps=EPSILON,
            amsgrad=False,
            maximize=False,
        )
        return rate


class _AdamW(_Adam):
    kernel = staticmethod(fused_adamw)


class _SGD(StackedOptimiser):
    moments = ("momentum_buffer",)
    counts = False

    def move(
        self, member: int, grads: Tensor, network: str, now: Mapping[str, Any], rate: float
    ) -> float:
        momentum = optimiser.own(network, "momentum", now)
        fused_sgd(
            self.of(self.weights, member),
            self.of(grads, member),
            self.of(self.state["momentum_buffer"], member) if momentum else [],
            lr=rate,
            momentum=momentum,
            weight_decay=optimiser.own(network, "weight_decay", now),
            dampening=0.0,
            nesterov=False,
            maximize=False,
            is_first_step=False,  # a buffer of zeros is equivalent
        )
        return rate


class _RMSprop(StackedOptimiser):
    moments = ("square_avg", "momentum_buffer")

    def move(
        self, member: int, grads: Tensor, network: str, now: Mapping[str, Any], rate: float
    ) -> float:
        self.steps[member] += 1
        momentum = optimiser.own(network, "momentum", now)
        decay = optimiser.own(network, "weight_decay", now)
        rows = (self.weights, grads, self.state["square_avg"], self.state["momentum_buffer"])
        for weights, grad, square, buffer in zip(
            *(self.of(of, member) for of in rows), strict=True
        ):
            grad = grad.add(weights, alpha=decay)
            square.mul_(MEAN_SQUARE_DECAY).addcmul_(grad, grad, value=1 - MEAN_SQUARE_DECAY)
            average = square.sqrt().add_(EPSILON)
            if momentum:
                weights.add_(buffer.mul_(momentum).addcdiv_(grad, average), alpha=-rate)
            else:
                weights.addcdiv_(grad, average, value=-rate)
        return rate


KINDS: Mapping[str, type[StackedOptimiser]] = {
    "sgd": _SGD,
    "adam": _Adam,
    "adamw": _AdamW,
    "rmsprop": _RMSprop,
}
