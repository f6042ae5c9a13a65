"""Convolutional network for images: two convolutions with pooling, one hidden layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from nettuner.models.learner import Hyperparameter, Supervised


class Convolutional(nn.Module):
    """Convolution, pooling, convolution, pooling, hidden units, dropout, outputs."""

    def __init__(
        self, shape: tuple[int, ...], outputs: int, channels: int, kernel: int, hidden: int
    ) -> None:
        super().__init__()
        colours = shape[0]
        self.first = nn.Conv2d(colours, channels, kernel, padding=kernel // 2)
        self.second = nn.Conv2d(channels, 2 * channels, kernel, padding=kernel // 2)
        features = self.convolve(torch.zeros(1, *shape)).shape[1]
        self.hidden = nn.Linear(features, hidden)
        self.output = nn.Linear(hidden, outputs)

    def convolve(self, images: Tensor) -> Tensor:
        """Map [batch, colours, height, width] to [batch, features]."""
        # Channels innermost in memory, and pooling before the activation, with which it commutes:
        # on a CPU this halves the time for 28 x 28 pixels.
        signal = self.first(images.to(memory_format=torch.channels_last))
        signal = self.second(functional.relu(functional.max_pool2d(signal, 2)))
        return functional.relu(functional.max_pool2d(signal, 2)).flatten(1)

    def forward(self, inputs: Tensor, dropout: float = 0.0) -> Tensor:
        """Map [batch, colours, height, width] to [batch, outputs]."""
        signal = functional.relu(self.hidden(self.convolve(inputs)))
        signal = functional.dropout(signal, dropout, self.training)
        outputs: Tensor = self.output(signal)
        return outputs


class CNN(Supervised):
    """Convolutional network."""

    takes_tokens: ClassVar[bool] = False
    live: ClassVar[Mapping[str, Hyperparameter]] = {
        **Supervised.live,
        "dropout": Hyperparameter(float, 0.0, low=0, high=0.99),
    }

    def build(self, *, channels: int = 16, kernel: int = 3, hidden: int = 64) -> nn.Module:
        """`channels` in the first convolution and twice as many in the second.

        Raises:
            ValueError: The data are no images of at least 4 x 4 pixels, or a size is less than 1.
        """
        shape = self.data.shape
        if len(shape) != 3 or min(shape[1:]) < 4:
            raise ValueError(
                f"cnn needs images of shape (colours, height, width), at least 4 x 4 pixels, "
                f"got {shape}; use mlp"
            )
        if min(channels, kernel, hidden) < 1:
            raise ValueError(
                f"cnn needs channels, kernel and hidden >= 1, got {channels}, {kernel} and "
                f"{hidden}; raise them"
            )
        return Convolutional(shape, self.data.outputs, channels, kernel, hidden)
