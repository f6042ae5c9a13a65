"""Greedy decoding with a Transformer: the likeliest word at each position."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nettuner.models.data.preprocessing import BEGIN, END, PAD, UNKNOWN
from nettuner.models.networks.transformer import Memory, Transformer

NOT_WORDS = (PAD, UNKNOWN, BEGIN)


class Greedy(nn.Module):
    """Translates by greedy decoding."""

    def __init__(self, network: Transformer, length: int) -> None:
        super().__init__()
        self.network = network
        self.length = length

    def forward(self, inputs: Tensor) -> Tensor:
        """Target tokens [batch, length] for source tokens: no begin token; end, then padding.

        The number of steps is fixed, so that it can be exported.
        """
        return greedy(self.network, inputs, self.length)


def greedy(
    network: Transformer, inputs: Tensor, length: int, *, stop_early: bool = False
) -> Tensor:
    """Decode greedily; padding, begin and the unknown word are never chosen.

    Args:
        network: Transformer in eval mode.
        inputs: Source tokens [batch, source length].
        length: Maximum number of target tokens, the end token included.
        stop_early: True to stop when all sentences have ended.

    Returns:
        Target tokens [batch, length or less], without the begin token, padded after the end.
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
    """Mask [words] added to the logits, so that some tokens are never chosen."""
    words, device = network.target_words.num_embeddings, network.target_words.weight.device
    costs = [-torch.inf if word in NOT_WORDS else 0.0 for word in range(words)]
    return torch.tensor(costs, device=device)
