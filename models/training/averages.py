"""Averages of weights over the steps of a training, which answer instead of the weights.

Source: Polyak and Juditsky (1992), doi:10.1137/0330046; as an exponential moving average whose bias
towards its start is corrected: Kingma and Ba (2015), arXiv:1412.6980, section 7.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from nettuner.models.learner import Networks
from nettuner.models.training import optimiser


def share(decay: Any, step: Any) -> Any:
    """The share of the weights after a step, counted from 0, in their corrected average."""
    return (1 - decay) / (1 - decay ** (step + 1))


class Averages:
    """The averaged weights of those networks whose `ema` is not zero.

    Buffers, such as the statistics of batch normalisation, are not averaged.

    Args:
        networks: Networks that are trained.
        now: Current hyperparameters.
    """

    def __init__(self, networks: Networks, now: Mapping[str, Any]) -> None:
        decays = {name: optimiser.own(name, "ema", now) for name in networks}
        self._decays = {name: decay for name, decay in decays.items() if decay}
        self._weights = {
            name: {key: p for key, p in networks[name].named_parameters() if p.requires_grad}
            for name in self._decays
        }
        self.of: dict[str, dict[str, Tensor]] = {
            name: {key: p.detach().clone() for key, p in weights.items()}
            for name, weights in self._weights.items()
        }
        """Averages by network and name of the parameter."""

    def load(self, saved: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Go on from averages that were saved; a network without them starts from its weights."""
        for name, averages in self.of.items():
            for key, average in averages.items():
                average.copy_(saved.get(name, {}).get(key, self._weights[name][key].detach()))

    @torch.no_grad()
    def update(self, network: str, step: int) -> None:
        """Take in a network's weights after a step, counted from 0 over the whole training."""
        if network in self.of:
            averages, weights = self.of[network].values(), self._weights[network].values()
            torch._foreach_lerp_([*averages], [*weights], share(self._decays[network], step))

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Let the averages answer for the weights inside the block."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for name, averages in self.of.items():
            for key, weights in self._weights[name].items():
                weights.data, averages[key] = averages[key], weights.data
