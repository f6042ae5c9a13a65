"""One optimiser step of a training, and the random keys of its steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nettuner.models.learner import Learner, Networks
from nettuner.models.training import checkpoint, optimiser
from nettuner.models.training.ahead import Ahead
from nettuner.models.training.averages import Averages
from nettuner.models.training.batches import Batch, copied
from nettuner.models.training.device import made_there, where
from nettuner.models.training.loss_scale import LossScale, too_small
from nettuner.models.training.precision import converting, multiplying
from nettuner.models.training.randomness import step_keys
from nettuner.models.training.seeding import derived_seed


def draw_seed(seed: tuple[int, ...]) -> np.uint32:
    """The seed of the random numbers drawn in a training's steps."""
    return np.uint32(derived_seed(*seed, 2) % 2**32)


class TrainingStep:
    """The networks of one training, with an optimiser for each.

    Args:
        learner: Learner to train.
        networks: Networks of the learner, by name.
        now: Current hyperparameters.
        steps: Optimiser steps of the whole training.
    """

    def __init__(
        self, learner: Learner, networks: Networks, now: Mapping[str, Any], steps: int
    ) -> None:
        self._learner = learner
        self._networks = networks
        self._now = now
        self._steps = steps
        self._randomness = {name: Ahead() for name in networks}
        self._device = where(networks)
        self.optimisers = {
            name: optimiser.build(network, optimiser.own(name, "optimizer", now))
            for name, network in networks.items()
        }
        self.averages = Averages(networks, now)
        scaled = networks if now["precision"] == "fp16" else ()
        self.scales = {name: LossScale(self._device) for name in scaled}
        """The scale of each network's loss, in fp16."""

    def begin_round(self, keys: Sequence[Tensor]) -> None:
        """Start a round.

        Args:
            keys: Random keys of each network's updates, shape [steps] each.
        """
        for randomness, own in zip(self._randomness.values(), keys, strict=True):
            randomness.begin_round(own)

    def step(self, batch: Batch, at: int) -> Iterator[tuple[str, Tensor]]:
        """Update the networks in turn, each by one optimiser step; yields its name and loss first.

        Args:
            batch: Mini-batch; each network gets its own copy.
            at: Optimiser step, counted from 0 over the whole training.
        """
        last = list(self._networks)[-1]
        for name, randomness in self._randomness.items():
            given = batch if name == last else copied(batch)
            randomness.next_step()
            precision, device = self._now["precision"], self._device
            with multiplying(precision, device):
                with made_there(device), randomness, converting(precision, device):
                    loss = self._learner.loss(name, self._networks, given, self._now)
                yield name, loss.detach()
                own, scale = self.optimisers[name], self.scales.get(name)
                own.zero_grad()
                (scale.scaled(loss) if scale else loss).backward()  # type: ignore[no-untyped-call]
            skip = scale.unscale(own.grads) if scale else None
            own.step(optimiser.settings(name, self._now, at, self._steps), skip)
            self.averages.update(name, at)

    def load(self, path: Path) -> int:
        """Go on from a checkpoint; returns the rounds trained. See `checkpoint.load`."""
        return checkpoint.load(path, self._networks, self.optimisers, self.averages, self.scales)

    def save(self, path: Path, rounds: int) -> None:
        """Write a checkpoint after so many rounds."""
        state = self.optimisers, rounds, self.averages, self.scales
        checkpoint.save(path, self._networks, *state)

    def check_scales(self, round_: int) -> None:
        """Refuse to go on where the scale of a loss has become too small.

        Raises:
            DivergedError: It has.
        """
        for name, scale in self.scales.items():
            wrong = too_small(name, scale.scale.item(), round_)
            if wrong:
                raise wrong


def keys_of(
    draws: NDArray[np.uint32], steps: NDArray[np.int64], networks: int, device: torch.device
) -> list[Tensor]:
    """The random keys of each network's steps, shape [steps] each."""
    return [step_keys(draws, steps, index)[:, 0].to(device) for index in range(networks)]
