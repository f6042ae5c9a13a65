"""A table with an embedding for each of its categories: a network with several inputs."""

import numpy as np
import torch
from torch import nn

from nettuner import Supervised


def make(rows: int = 3000):
    """What flats cost, by their size, their district (of 30) and their kind (of 5)."""
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(rows, 3)).astype(np.float32)
    district, kind = rng.integers(30, size=rows), rng.integers(5, size=rows)
    price = numbers @ [1.0, 0.5, -0.3] + rng.normal(size=30)[district] + 0.3 * kind
    price += 0.2 * rng.normal(size=rows)
    return {"numbers": numbers, "district": district, "kind": kind, "target": price}


class Mixed(nn.Module):
    """Embeddings beside the numbers, and a hidden layer."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.district, self.kind = nn.Embedding(30, width), nn.Embedding(5, width)
        self.layers = nn.Sequential(
            nn.Linear(3 + 2 * width, hidden), nn.ReLU(), nn.Linear(hidden, 1)
        )

    def forward(self, numbers, district, kind):
        """Map rows to one number each."""
        return self.layers(torch.cat([numbers, self.district(district), self.kind(kind)], 1))


class Net(Supervised):
    """The names of inputs are those of the arguments of `forward`."""

    def build(self, *, width: int = 8, hidden: int = 32) -> nn.Module:
        """Keyword arguments are the hyperparameters that may be searched."""
        return Mixed(width, hidden)
