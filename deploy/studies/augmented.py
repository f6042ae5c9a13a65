"""A convolutional network on digits that are shifted anew in every epoch."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import Dataset

from nettuner import Supervised


class Digits(Dataset):
    """Images of 8 x 8 pixels; those to train on are shifted by up to `shift` pixels."""

    def __init__(self, images, labels, shift=0):
        self.images, self.labels, self.shift = images, labels, shift

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, row):
        image = self.images[row]
        if self.shift:
            by = torch.randint(-self.shift, self.shift + 1, (2,)).tolist()
            image = torch.roll(image, by, dims=(1, 2))
        return image, self.labels[row]


def make(shift: int = 1):
    """Training, validation and test data; what is recorded of them is found out."""
    pixels, labels = load_digits(return_X_y=True)
    images = torch.tensor(pixels, dtype=torch.float32).view(-1, 1, 8, 8) / 16
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    parts = [(images[rows], torch.tensor(labels)[rows]) for rows in order.split([1200, 300, 297])]
    return Digits(*parts[0], shift), Digits(*parts[1]), Digits(*parts[2])


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
