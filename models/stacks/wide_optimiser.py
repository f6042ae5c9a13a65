"""Optimiser steps for all members of a stack at once, each with its own hyperparameters.

On an accelerator a call for each member would take longer than its arithmetic. Everything that a
step needs lies on the device, so that steps can be captured and replayed.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from nettuner.models.optimisers import EPSILON, MEAN_SQUARE_DECAY
from nettuner.models.training import optimiser


class WideOptimiser(ABC):
    """The optimiser state of all members, under the same names as in torch's optimisers.

    Args:
        weights: Weights, shape [members, parameters]; updated in place.
        network: Name of the network that has these weights.
        nows: Current hyperparameters of each member.
    """

    moments: ClassVar[Sequence[str]]
    counts: ClassVar[bool] = True
    """Whether it counts its steps."""

    def __init__(self, weights: Tensor, network: str, nows: Sequence[Mapping[str, Any]]) -> None:
        self.weights = weights
        self.parts: tuple[tuple[int, int], ...] = ((0, weights.shape[1]),)
        """Ranges of the parameters that have gradients; a step updates no others."""
        self.state = {name: torch.zeros_like(weights) for name in self.moments}
        self.steps = torch.zeros(len(weights), device=weights.device)
        self.rates = [math.nan] * len(weights)
        """The learning rate of each member at its latest step."""
        self._network = network
        self._nows = nows
        self.decay = self.column("weight_decay")
        self.clip = self.column("clip_norm")

    def column(self, name: str) -> Tensor | None:
        """A hyperparameter of each member, shape [members, 1]; None where all are 0."""
        values = [float(optimiser.own(self._network, name, now)) for now in self._nows]
        if not any(values):
            return None
        return torch.tensor(values, dtype=torch.float64)[:, None].float().to(self.weights.device)

    def step(self, grads: Tensor, rates: Tensor, skip: Tensor | None = None) -> None:
        """Update every member's weights.

        Args:
            grads: Gradients, shape [members, parameters]; scaled in place where too long.
            rates: Learning rate of each member, shape [members].
            skip: Whether a member's step is to change nothing, shape [members]; None for no member.
        """
        changed = [self.steps, self.weights, *self.state.values()]
        before = [] if skip is None else [rows.clone() for rows in changed]
        self.steps += 1
        if self.clip is not None:
            self._clip(grads, self.clip)
        for first, end in self.parts:
            rows = slice(None), slice(first, end)
            state = {name: of[rows] for name, of in self.state.items()}
            self.move(self.weights[rows], grads[rows], state, rates[:, None])
        if skip is not None:
            for tensor, was in zip(changed, before, strict=True):
                kept = skip.view(-1, *[1] * (tensor.dim() - 1))
                tensor.copy_(torch.where(kept, was, tensor))

    def decayed(self, weights: Tensor, grads: Tensor, rates: Tensor) -> Tensor:
        """The gradients after weight decay."""
        return grads if self.decay is None else grads + self.decay * weights

    def _clip(self, grads: Tensor, largest: Tensor) -> None:
        """Scale down the gradients of members that have a limit; see `optimisers.clip`."""
        parts = [grads[:, slice(*part)] for part in self.parts]
        norms = torch.stack([part.norm(dim=1) for part in parts]).norm(dim=0)[:, None]
        factor = torch.where(largest > 0, (largest / norms).clamp(max=1.0), 1.0)
        for part in parts:
            part.mul_(factor)

    @abstractmethod
    def move(
        self, weights: Tensor, grads: Tensor, state: Mapping[str, Tensor], rates: Tensor
    ) -> None:
        """Update the weights of a part, all shapes [members, parameters], rates [members, 1]."""


class _Adam(WideOptimiser):
    moments = ("exp_avg", "exp_avg_sq")

    def __init__(self, weights: Tensor, network: str, nows: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(weights, network, nows)
        self.first, self.second = self._average("beta1"), self._average("beta2")

    def _average(self, name: str) -> Average:
        betas = [float(optimiser.own(self._network, name, now)) for now in self._nows]
        exact = torch.tensor(betas, dtype=torch.float64)[:, None]
        of = Average(exact, 1 - exact, exact.log())
        return Average(*(value.float().to(self.weights.device) for value in of))

    def move(
        self, weights: Tensor, grads: Tensor, state: Mapping[str, Tensor], rates: Tensor
    ) -> None:
        grads = self.decayed(weights, grads, rates)
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        mean.lerp_(grads, self.first.share)
        square.mul_(self.second.beta).addcmul_(self.second.share * grads, grads)
        count = self.steps[:, None]
        step = rates / self.first.weight(count)
        root = self.second.weight(count).sqrt()
        weights.sub_(step * mean / (square.sqrt() / root + EPSILON))


class Average(NamedTuple):
    """A decay rate of each member, shape [members, 1], and what is computed from it in float64:
    1 - 0.9999999 has a single digit in float32."""

    beta: Tensor
    share: Tensor
    log: Tensor

    def weight(self, steps: Tensor) -> Tensor:
        """The weight of all gradients so far in the average: 1 - beta^steps."""
        return -torch.expm1(steps * self.log)


class _AdamW(_Adam):
    def decayed(self, weights: Tensor, grads: Tensor, rates: Tensor) -> Tensor:
        if self.decay is not None:
            weights.mul_(1 - rates * self.decay)
        return grads


class _Momentum(WideOptimiser):
    """One with a momentum, which members without it leave as it is."""

    def __init__(self, weights: Tensor, network: str, nows: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(weights, network, nows)
        self.momentum = self.column("momentum")

    def pushed(self, change: Tensor, buffer: Tensor) -> Tensor:
        """A change after momentum."""
        if self.momentum is None:
            return change
        has = self.momentum > 0
        moved = torch.where(has, self.momentum * buffer + change, buffer)
        buffer.copy_(moved)
        return torch.where(has, moved, change)


class _SGD(_Momentum):
    moments = ("momentum_buffer",)
    counts = False

    def move(
        self, weights: Tensor, grads: Tensor, state: Mapping[str, Tensor], rates: Tensor
    ) -> None:
        change = self.pushed(self.decayed(weights, grads, rates), state["momentum_buffer"])
        weights.sub_(rates * change)


class _RMSprop(_Momentum):
    moments = ("square_avg", "momentum_buffer")

    def move(
        self, weights: Tensor, grads: Tensor, state: Mapping[str, Tensor], rates: Tensor
    ) -> None:
        grads, square = self.decayed(weights, grads, rates), state["square_avg"]
        square.mul_(MEAN_SQUARE_DECAY).addcmul_(grads, grads, value=1 - MEAN_SQUARE_DECAY)
        change = grads / (square.sqrt() + EPSILON)
        weights.sub_(rates * self.pushed(change, state["momentum_buffer"]))


WIDE: Mapping[str, type[WideOptimiser]] = {
    "sgd": _SGD,
    "adam": _Adam,
    "adamw": _AdamW,
    "rmsprop": _RMSprop,
}
