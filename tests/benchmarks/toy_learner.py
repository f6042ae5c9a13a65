"""The toy of figure 2 of Jaderberg et al. (2017), arXiv:1711.09846, as a learner of one's own.

Two weights climb a surrogate, 1.2 - sum(h * theta^2), of which the hyperparameters h decide how
much of each is seen; what counts is 1.2 - sum(theta^2). Data are not needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from nettuner.models.learner import Hyperparameter, Learner, Networks, Now
from nettuner.models.study import Direction

HIGHEST = 1.2
START = 0.9


class Theta(nn.Module):
    """Two weights, and how high they are."""

    def __init__(self) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.full((2,), START))

    def forward(self, inputs: Tensor) -> Tensor:
        """The height, once for each input."""
        return (HIGHEST - self.theta.square().sum()).expand(len(inputs), 1)


class Climber(Learner):
    """Climbs what it sees of the hill."""

    live: ClassVar[Mapping[str, Hyperparameter]] = {
        "h0": Hyperparameter(float, 1.0, low=0, high=1),
        "h1": Hyperparameter(float, 1.0, low=0, high=1),
    }
    metrics: ClassVar[Mapping[str, Direction]] = {"quality": "maximize"}

    def build(self) -> nn.Module:
        """Nothing to choose."""
        return Theta()

    def loss(
        self, network: str, networks: Networks, batch: tuple[Tensor, Tensor], now: Now
    ) -> Tensor:
        """The surrogate, downwards."""
        squared = networks[network].theta.square()  # type: ignore[operator]
        loss: Tensor = now["h0"] * squared[0] + now["h1"] * squared[1] - HIGHEST
        return loss

    def evaluate(self, networks: Networks, inputs: Tensor, targets: Tensor) -> Mapping[str, Tensor]:
        """The height."""
        return {"quality": networks["network"](inputs[:1]).squeeze()}
