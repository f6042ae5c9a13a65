"""The losses of a round, and what a training says that has diverged."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

# Steps after which the losses are looked at on a device that is not to be waited for.
LOOK_EVERY = 64


class DivergedError(FloatingPointError):
    """A loss or the metric is not finite."""


class Losses:
    """The losses of a round, refused where one is not finite.

    In fp16, where a step that overflows is skipped, such a loss does not count; refused is a round
    that has no other.

    Those on an accelerator are looked at now and then: to wait for each would take longer than the
    step.

    Args:
        networks: Names of the networks.
        round_: Round, from 1.
        device: Device that they are computed on.
        skips: Whether steps that overflow are skipped.
    """

    def __init__(
        self, networks: Iterable[str], round_: int, device: torch.device, skips: bool = False
    ) -> None:
        self._values: dict[str, list[float]] = {name: [] for name in networks}
        self._wrong: dict[str, DivergedError] = {}
        self._skips = skips
        self._unseen: list[tuple[str, int, Tensor]] = []
        self._round = round_
        self._every = 1 if device.type == "cpu" else LOOK_EVERY

    def add(self, network: str, step: int, loss: Tensor) -> None:
        """Take in the loss of a step, counted from 0 over the whole training.

        Raises:
            DivergedError: A loss so far is not finite.
        """
        self._unseen.append((network, step, loss))
        if len(self._unseen) >= self._every:
            self._look()

    def all(self) -> dict[str, list[float]]:
        """The losses of each network.

        Raises:
            DivergedError: One is not finite.
        """
        self._look()
        for network, values in self._values.items():
            if not values and network in self._wrong:
                raise self._wrong[network]
        return self._values

    def _look(self) -> None:
        unseen, self._unseen = self._unseen, []
        losses = [loss for *_, loss in unseen]
        found = torch.stack(losses).tolist() if len(losses) > 1 else [of.item() for of in losses]
        for (network, step, _), value in zip(unseen, found, strict=True):
            if math.isfinite(value):
                self._values[network].append(value)
                continue
            wrong = diverged(network, value, step, self._round)
            if not self._skips:
                raise wrong
            self._wrong.setdefault(network, wrong)


def diverged(network: str, loss: float, step: int, round_: int) -> DivergedError:
    """What a training says whose loss is not finite at a step, counted from 0."""
    return DivergedError(f"the loss of {network} is {loss} at step {step + 1}, round {round_}")
