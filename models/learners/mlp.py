"""Multi-layer perceptron for inputs of any shape, flattened."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import ClassVar, Literal

from torch import Tensor, nn
from torch.nn import functional

from nettuner.models.learner import Hyperparameter, Supervised

ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh, "silu": nn.SiLU}


class Perceptron(nn.Module):
    """`depth` hidden layers of `hidden` units, each followed by dropout."""

    def __init__(
        self, features: int, outputs: int, hidden: int, depth: int, activation: str
    ) -> None:
        super().__init__()
        widths = [features, *[hidden] * depth]
        self.hidden = nn.ModuleList(nn.Linear(before, after) for before, after in pairwise(widths))
        self.activation = ACTIVATIONS[activation]()
        self.output = nn.Linear(widths[-1], outputs)

    def forward(self, inputs: Tensor, dropout: float = 0.0) -> Tensor:
        """Map [batch, *shape] to [batch, outputs]."""
        signal = inputs.flatten(1)
        for layer in self.hidden:
            signal = self.activation(layer(signal))
            signal = functional.dropout(signal, dropout, self.training)
        outputs: Tensor = self.output(signal)
        return outputs


class MLP(Supervised):
    """Multi-layer perceptron."""

    takes_tokens: ClassVar[bool] = False
    live: ClassVar[Mapping[str, Hyperparameter]] = {
        **Supervised.live,
        "dropout": Hyperparameter(float, 0.0, low=0, high=0.99),
    }

    def build(
        self,
        *,
        hidden: int = 64,
        depth: int = 1,
        activation: Literal["relu", "gelu", "tanh", "silu"] = "relu",
    ) -> nn.Module:
        """`hidden` units in each of `depth` layers; without layers a linear model.

        Raises:
            ValueError: `hidden` or `depth` is too small.
        """
        if hidden < 1 or depth < 0:
            raise ValueError(
                f"mlp needs hidden >= 1 and depth >= 0, got hidden={hidden} and depth={depth}; "
                "raise them"
            )
        return Perceptron(self.data.features, self.data.outputs, hidden, depth, activation)
