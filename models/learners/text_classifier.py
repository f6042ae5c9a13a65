"""Classifier of sentences: embedded tokens, a Transformer's encoder if wanted, and their mean."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional

from nettuner.models.data.preprocessing import PAD
from nettuner.models.data.source import TaskKind
from nettuner.models.learner import DataFacts, Hyperparameter, Supervised
from nettuner.models.networks.transformer import NEVER, EncoderLayer, Rates, waves


class MeanOfTokens(nn.Module):
    """Embedding, `layers` of a Transformer's encoder, mean over the tokens, dropout, outputs.

    Without layers it is the bag of words of Joulin et al. (2017), arXiv:1607.01759, without its
    n-grams.
    """

    positions: Tensor

    def __init__(
        self, tokens: int, length: int, outputs: int, width: int, layers: int, heads: int
    ) -> None:
        super().__init__()
        self.words = nn.Embedding(tokens, width)
        nn.init.normal_(self.words.weight, std=width**-0.5)
        self.layers = nn.ModuleList(EncoderLayer(width, heads, 2 * width) for _ in range(layers))
        self.after_layers = nn.LayerNorm(width) if layers else nn.Identity()
        self.output = nn.Linear(width, outputs)
        self.register_buffer("positions", waves(length, width), persistent=False)

    def forward(self, inputs: Tensor, dropout: float = 0.0) -> Tensor:
        """Map tokens [batch, length] to [batch, outputs]."""
        there = inputs != PAD
        signal = self.words(inputs) * math.sqrt(self.words.embedding_dim)
        if self.layers:
            signal = signal + self.positions
            mask = ~there[:, None, None, :] * NEVER
            for layer in self.layers:
                signal = layer(signal, mask, Rates(dropout, dropout))
        counted = there[:, :, None].to(signal.dtype)
        mean = (self.after_layers(signal) * counted).sum(1) / counted.sum(1).clamp(min=1)
        outputs: Tensor = self.output(functional.dropout(mean, dropout, self.training))
        return outputs


class TextClassifier(Supervised):
    """Mean of the embedded tokens of a sentence; with layers, of what they say in its context."""

    tasks: ClassVar[tuple[TaskKind, ...]] = ("classification", "regression", "labels")
    live: ClassVar[Mapping[str, Hyperparameter]] = {
        **Supervised.live,
        "dropout": Hyperparameter(float, 0.0, low=0, high=0.99),
    }

    def __init__(self, data: DataFacts) -> None:
        super().__init__(data)
        if not data.tokens:
            raise ValueError(
                "the learner takes sentences with a label (source: sentences), got inputs of shape "
                f"{list(data.shape)} without a vocabulary; use mlp or cnn"
            )

    def build(self, *, width: int = 64, layers: int = 1, heads: int = 2) -> nn.Module:
        """Embeddings of `width`; `layers` of attention with `heads`, none for a bag of words.

        Raises:
            ValueError: A size is too small.
        """
        if width < 2 or layers < 0 or heads < 1:
            raise ValueError(
                f"text_classifier needs width >= 2, layers >= 0 and heads >= 1, got {width}, "
                f"{layers} and {heads}; raise them"
            )
        data = self.data
        return MeanOfTokens(data.tokens, data.shape[0], data.outputs, width, layers, heads)
