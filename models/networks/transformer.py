"""The Transformer of Vaswani et al. (2017), arXiv:1706.03762: an encoder and a decoder.

Three differences: pre-layer normalisation (Xiong et al. 2020, arXiv:2002.04745), so that training
needs no long warm-up; the target's embedding is tied to the output layer (Press & Wolf 2017,
arXiv:1608.05859); and the size of a head is width / heads rounded up, so that any number of heads
goes with any width.

Attention is written out, because `torch.func.vmap` cannot vectorise the fused kernels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from nettuner.models.data.preprocessing import PAD

# Finite, so that the softmax of a row of padding alone is no NaN.
NEVER = -1e9


class Rates(NamedTuple):
    """Dropout rates: of attention weights, and of each sublayer's residual."""

    attention: float = 0.0
    residual: float = 0.0


NO_DROPOUT = Rates()


class Memory(NamedTuple):
    """Keys and values of attention, [batch, heads, length, head width] each."""

    keys: Tensor
    values: Tensor

    def and_then(self, more: Memory) -> Memory:
        """Both, concatenated along the length."""
        return Memory(
            torch.cat([self.keys, more.keys], 2), torch.cat([self.values, more.values], 2)
        )


class Attention(nn.Module):
    """Multi-head scaled dot-product attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.size = math.ceil(width / heads)
        self.query = nn.Linear(width, heads * self.size)
        self.key = nn.Linear(width, heads * self.size, bias=False)  # softmax cancels a bias
        self.value = nn.Linear(width, heads * self.size)
        self.output = nn.Linear(heads * self.size, width)

    def memory(self, seen: Tensor) -> Memory:
        """Keys and values for [batch, length, width]."""
        return Memory(self._split(self.key(seen)), self._split(self.value(seen)))

    def _split(self, signal: Tensor) -> Tensor:
        return signal.reshape(*signal.shape[:2], self.heads, self.size).transpose(1, 2)

    def forward(
        self, signal: Tensor, memory: Memory, mask: Tensor | None, dropout: float
    ) -> Tensor:
        """Map [batch, length, width] to the same shape, attending to the memory.

        Args:
            signal: Input that the queries are computed from.
            memory: Keys and values to attend to.
            mask: Mask added to the scores [batch, heads, length, length of memory]; None for none.
            dropout: Dropout rate of the attention weights.
        """
        scores = self._split(self.query(signal)) @ memory.keys.transpose(-2, -1)
        scores = scores / math.sqrt(self.size)
        if mask is not None:
            scores = scores + mask
        weights = functional.dropout(scores.softmax(-1), dropout, self.training)
        found = (weights @ memory.values).transpose(1, 2).flatten(2)
        answer: Tensor = self.output(found)
        return answer


class FeedForward(nn.Module):
    """Two layers applied to each token separately."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, hidden)
        self.output = nn.Linear(hidden, width)

    def forward(self, signal: Tensor) -> Tensor:
        """Map [batch, length, width] to the same."""
        answer: Tensor = self.output(functional.relu(self.hidden(signal)))
        return answer


class EncoderLayer(nn.Module):
    """Self-attention, then a feed-forward layer."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.attention = Attention(width, heads)
        self.feed_forward = FeedForward(width, hidden)
        self.before_attention = nn.LayerNorm(width)
        self.before_feed_forward = nn.LayerNorm(width)

    def forward(self, signal: Tensor, mask: Tensor, rates: Rates) -> Tensor:
        """Map [batch, length, width] to the same."""
        seen = self.before_attention(signal)
        found = self.attention(seen, self.attention.memory(seen), mask, rates.attention)
        signal = signal + functional.dropout(found, rates.residual, self.training)
        found = self.feed_forward(self.before_feed_forward(signal))
        return signal + functional.dropout(found, rates.residual, self.training)


class DecoderLayer(nn.Module):
    """Causal self-attention, attention to the source, then a feed-forward layer."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.attention = Attention(width, heads)
        self.source_attention = Attention(width, heads)
        self.feed_forward = FeedForward(width, hidden)
        self.before_attention = nn.LayerNorm(width)
        self.before_source_attention = nn.LayerNorm(width)
        self.before_feed_forward = nn.LayerNorm(width)

    def forward(
        self,
        signal: Tensor,
        past: Memory | None,
        mask: Tensor | None,
        source: Memory,
        source_mask: Tensor,
        rates: Rates,
    ) -> tuple[Tensor, Memory]:
        """Map [batch, length, width] to the same shape; also returns the keys and values so far."""
        seen = self.before_attention(signal)
        memory = self.attention.memory(seen)
        memory = memory if past is None else past.and_then(memory)
        found = self.attention(seen, memory, mask, rates.attention)
        signal = signal + functional.dropout(found, rates.residual, self.training)
        seen = self.before_source_attention(signal)
        found = self.source_attention(seen, source, source_mask, rates.attention)
        signal = signal + functional.dropout(found, rates.residual, self.training)
        found = self.feed_forward(self.before_feed_forward(signal))
        return signal + functional.dropout(found, rates.residual, self.training), memory


class Source(NamedTuple):
    """An encoded source: keys and values for each decoder layer, and the padding mask."""

    memories: tuple[Memory, ...]
    mask: Tensor


class Transformer(nn.Module):
    """Predicts the next target token from the source tokens and the target tokens so far."""

    positions: Tensor

    def __init__(
        self,
        words: tuple[int, int],
        lengths: tuple[int, int],
        width: int,
        heads: int,
        layers: tuple[int, int],
        hidden: int,
    ) -> None:
        """Pairs are (source, target): vocabulary sizes, maximum lengths, and numbers of layers."""
        super().__init__()
        self.source_words = nn.Embedding(words[0], width)
        self.target_words = nn.Embedding(words[1], width)
        for embedding in (self.source_words, self.target_words):
            nn.init.normal_(embedding.weight, std=width**-0.5)
        self.encoder = nn.ModuleList(EncoderLayer(width, heads, hidden) for _ in range(layers[0]))
        self.decoder = nn.ModuleList(DecoderLayer(width, heads, hidden) for _ in range(layers[1]))
        self.after_encoder = nn.LayerNorm(width)
        self.after_decoder = nn.LayerNorm(width)
        self.register_buffer("positions", waves(max(lengths), width), persistent=False)

    def forward(
        self,
        inputs: Tensor,
        targets: Tensor,
        attention_dropout: float = 0.0,
        residual_dropout: float = 0.0,
        embedding_dropout: float = 0.0,
    ) -> Tensor:
        """Logits [batch, target length, words] of the word that follows each target token.

        Args:
            inputs: Source tokens [batch, source length], padded.
            targets: Target tokens [batch, target length], from the begin token on.
            attention_dropout: Dropout rate of the attention weights.
            residual_dropout: Dropout rate of the residuals of attention and feed-forward layers.
            embedding_dropout: Dropout rate of the embedded tokens.
        """
        rates = Rates(attention_dropout, residual_dropout)
        source = self.encode(inputs, rates, embedding_dropout)
        length = targets.shape[1]
        # Padding is at the end only, so causal attention never reaches it.
        future = torch.ones(length, length, dtype=torch.bool, device=targets.device).triu(1)
        signal = self._embed(self.target_words, targets, 0, embedding_dropout)
        for layer, memory in zip(self.decoder, source.memories, strict=True):
            signal, _ = layer(signal, None, future * NEVER, memory, source.mask, rates)
        return self._logits(signal)

    def encode(
        self, inputs: Tensor, rates: Rates = NO_DROPOUT, embedding_dropout: float = 0.0
    ) -> Source:
        """Encode source tokens [batch, length] for the decoder."""
        mask = (inputs == PAD)[:, None, None, :] * NEVER
        signal = self._embed(self.source_words, inputs, 0, embedding_dropout)
        for layer in self.encoder:
            signal = layer(signal, mask, rates)
        signal = self.after_encoder(signal)
        memories = tuple(layer.source_attention.memory(signal) for layer in self.decoder)  # type: ignore[operator, union-attr]
        return Source(memories, mask)

    def step(
        self, words: Tensor, place: int, past: Sequence[Memory] | None, source: Source
    ) -> tuple[Tensor, list[Memory]]:
        """Logits [batch, words] after one more target word [batch] at `place`, and the new past."""
        signal = self._embed(self.target_words, words[:, None], place, 0.0)
        memories: list[Memory] = []
        for i, layer in enumerate(self.decoder):
            before = None if past is None else past[i]
            signal, memory = layer(
                signal, before, None, source.memories[i], source.mask, NO_DROPOUT
            )
            memories.append(memory)
        return self._logits(signal)[:, 0], memories

    def _embed(self, words: nn.Embedding, tokens: Tensor, first: int, dropout: float) -> Tensor:
        places = self.positions[first : first + tokens.shape[1]]
        signal = words(tokens) * math.sqrt(words.embedding_dim) + places
        return functional.dropout(signal, dropout, self.training)

    def _logits(self, signal: Tensor) -> Tensor:
        return functional.linear(self.after_decoder(signal), self.target_words.weight)


def waves(length: int, width: int) -> Tensor:
    """Sinusoidal positional encoding [length, width] (Vaswani et al., section 3.5)."""
    places = torch.arange(length)[:, None]
    speeds = 10000.0 ** (-torch.arange(0, width, 2) / width)
    angles = places * speeds
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)[:, :width]
