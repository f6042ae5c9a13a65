"""Fine-tuning of a network that knows other digits: `nettuner search finetune.yaml`."""

from copy import deepcopy
from functools import cache

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

from nettuner import Supervised


def digits(first, last):
    """Images [rows, 1, 8, 8] and labels, counted from 0, of the digits from `first` to `last`."""
    pixels, labels = load_digits(return_X_y=True)
    rows = (first <= labels) & (labels <= last)
    images = torch.tensor(pixels[rows], dtype=torch.float32).view(-1, 1, 8, 8) / 16
    return images, torch.tensor(labels[rows] - first)


@cache
def pretrained():
    """A network trained on the digits 0 to 6; where there is a file of weights, load it here."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2)]
    net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 7))
    optimiser = torch.optim.Adam(net.parameters(), lr=3e-3)
    images, labels = digits(0, 6)
    for _ in range(60):
        optimiser.zero_grad()
        functional.cross_entropy(net(images), labels).backward()
        optimiser.step()
    return net


def data():
    """The digits 7 to 9."""
    return digits(7, 9)


class Finetuned(Supervised):
    """The first `frozen` layers stay as they are; the last one is new."""

    def build(self, *, frozen: int = 2, dropout: float = 0.0) -> nn.Module:
        """Keyword arguments are the hyperparameters."""
        body = deepcopy(pretrained())[:-1]
        for layer in body[:frozen]:
            layer.requires_grad_(False)
        return nn.Sequential(body, nn.Dropout(dropout), nn.Linear(64, 3))
