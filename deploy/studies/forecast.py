"""A recurrent network that forecasts a time series; the newest part of it is the test."""

import numpy as np
from torch import nn

from nettuner import Supervised


def make(length: int = 2000, window: int = 48):
    """Windows of a series with a trend, two seasons and noise, and the value after each."""
    time = np.arange(length)
    noise = np.random.default_rng(0).normal(size=length)
    series = time / length + np.sin(time / 4) + 0.5 * np.sin(time / 37) + 0.1 * noise
    windows = np.lib.stride_tricks.sliding_window_view(series, window + 1)
    inputs, targets = windows[:, :-1, None], windows[:, -1]
    first, second = int(0.7 * len(targets)), int(0.85 * len(targets))
    return (
        (inputs[:first], targets[:first]),
        (inputs[first + window : second], targets[first + window : second]),
        (inputs[second + window :], targets[second + window :]),
    )


class Recurrent(nn.Module):
    """A GRU, and a linear layer on its last state."""

    def __init__(self, features: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.gru = nn.GRU(features, hidden, layers, batch_first=True)
        self.output = nn.Linear(hidden, 1)

    def forward(self, inputs):
        """Map [batch, window, features] to [batch, 1]."""
        return self.output(self.gru(inputs)[0][:, -1])


class Forecaster(Supervised):
    """Learns the next value by squared error."""

    def build(self, *, hidden: int = 32, layers: int = 1) -> nn.Module:
        """Keyword arguments are the hyperparameters that may be searched."""
        return Recurrent(self.data.shape[1], hidden, layers)
