"""A convolutional network on digits that are shifted anew in every epoch."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset

from nettuner import Supervised
from nettuner.models.data.sources.builtin import FOLDER


class Digits(Dataset):
    """Images of 8 x 8 pixels; those to train on are shifted by up to `shift` pixels."""

    def __init__(self, images, labels, shift=0):
        self.images, self.labels, self.shift = images, labels, shift

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, row):
        image = torch.from_numpy(self.images[row])
        if self.shift:
            by = torch.randint(-self.shift, self.shift + 1, (2,)).tolist()
            image = torch.roll(image, by, dims=(1, 2))
        return image, self.labels[row]


def make(shift: int = 1):
    """Training, validation and test data; what is recorded of them is found out."""
    with np.load(FOLDER / "digits.npz") as digits:
        images = digits["images"][:, None].astype(np.float32) / 16
        labels = digits["target"].astype(np.int64)
    parts = np.split(np.random.default_rng(0).permutation(len(labels)), [1200, 1500])
    train, validation, test = ((images[rows], labels[rows]) for rows in parts)
    return Digits(*train, shift), Digits(*validation), Digits(*test)


class Net(Supervised):
    """Two convolutions."""

    def build(self, *, channels: int = 16, dropout: float = 0.2) -> nn.Module:
        """Keyword arguments are the hyperparameters that may be searched."""
        return nn.Sequential(
            nn.Conv2d(1, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, 2 * channels, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(8 * channels, self.data.outputs),
        )
