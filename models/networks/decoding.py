"""From a Transformer to a translation: the likeliest word each time, or the best of several."""

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


def beam_search(
    network: Transformer, inputs: Tensor, length: int, beams: int, penalty: float = 0.6
) -> tuple[Tensor, Tensor]:
    """The best translation that `beams` half-finished ones at a time lead to.

    Translations are compared by log probability / ((5 + words) / 6) ** penalty, of Wu et al.
    (2016), arXiv:1609.08144, section 7; without their coverage penalty.

    Args:
        network: In eval mode.
        inputs: Source tokens [batch, source length].
        length: Words at most, the end included; what has not ended by then is not punished.
        beams: With one, it takes the words that `greedy` takes.
        penalty: 0 prefers short translations, 1 compares log probabilities per word.

    Returns:
        Target tokens [batch, length or less] as from `greedy`, and their scores [batch].

    Raises:
        ValueError: there are no beams.
    """
    if beams < 1:
        raise ValueError(f"beams must be at least 1, got {beams}; raise it")
    rows = len(inputs)
    source, never = network.encode(inputs.repeat_interleave(beams, 0)), _never(network)
    words = torch.full((rows * beams,), BEGIN)
    found = torch.empty(rows, beams, 0, dtype=torch.int64)
    # All beams begin alike: but for the first, they wait for its second choices.
    chance = torch.full((rows, beams), -torch.inf)
    chance[:, 0] = 0
    done = torch.zeros(rows, beams, dtype=torch.bool)
    past: list[Memory] | None = None
    for place in range(length):
        logits, past = network.step(words, place, past, source)
        more = (logits + never).log_softmax(-1).view(rows, beams, -1)
        chances = chance[..., None] + torch.where(done[..., None], _only_padding(more), more)
        counts = (found != PAD).sum(-1) + ~done
        scores = (chances / ((5 + counts) / 6)[..., None] ** penalty).flatten(1)
        best, chosen = scores.topk(beams, 1)
        parent, word = chosen // more.shape[-1], chosen % more.shape[-1]
        chance = chances.flatten(1).gather(1, chosen)
        earlier = found.gather(1, parent[..., None].expand(-1, -1, place))
        found = torch.cat([earlier, word[..., None]], -1)
        done = done.gather(1, parent) | (word == END)
        if bool(done.all()):
            break
        words = word.flatten()
        followed = (parent + beams * torch.arange(rows)[:, None]).flatten()
        past = [Memory(memory.keys[followed], memory.values[followed]) for memory in past]
    return found[:, 0], best[:, 0]


def _only_padding(more: Tensor) -> Tensor:
    """What an ended translation goes on with: padding, at no cost."""
    padding = torch.full_like(more, -torch.inf)
    padding[..., PAD] = 0
    return padding
