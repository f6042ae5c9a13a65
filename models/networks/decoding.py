"""From a Transformer to a translation: the likeliest word each time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nettuner.models.data.preprocessing import BEGIN, END, PAD, UNKNOWN
from nettuner.models.networks.transformer import Memory, Transformer

NOT_WORDS = (PAD, UNKNOWN, BEGIN)


class Greedy(nn.Module):
    """Translates by taking the likeliest word each time."""

    def __init__(self, network: Transformer, length: int) -> None:
        super().__init__()
        self.network = network
        self.length = length

    def forward(self, inputs: Tensor) -> Tensor:
        """Target tokens [batch, length], without begin, ended and padded, for source tokens.

        It always takes as many steps, so that it can be exported.
        """
        return greedy(self.network, inputs, self.length)


def greedy(
    network: Transformer, inputs: Tensor, length: int, *, stop_early: bool = False
) -> Tensor:
    """Take the likeliest word each time; never padding, begin or the unknown word.

    Args:
        network: In eval mode.
        inputs: Source tokens [batch, source length].
        length: Words at most, the end included.
        stop_early: Whether to stop when all sentences have ended.

    Returns:
        Target tokens [batch, length or less], without begin, padded after the end.
    """
    source, never = network.encode(inputs), _never(network)
    words = torch.full_like(inputs[:, 0], BEGIN)
    done = words == END
    past: list[Memory] | None = None
    found: list[Tensor] = []
    for place in range(length):
        logits, past = network.step(words, place, past, source)
        words = torch.where(done, PAD, (logits + never).argmax(-1))
        found.append(words)
        done = done | (words == END)
        if stop_early and bool(done.all()):
            break
    return torch.stack(found, 1)


def _never(network: Transformer) -> Tensor:
    """What is added to the logits [words], so that some tokens are in no translation."""
    words = network.target_words.num_embeddings
    return torch.tensor([-torch.inf if word in NOT_WORDS else 0.0 for word in range(words)])
