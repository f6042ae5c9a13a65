"""Random numbers of one network's steps, drawn for many steps at once where they are alike."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from nettuner.models.training.randomness import Randomness, factors, hashed

# Most numbers that are drawn for the steps ahead at once, of each mask: a hash of few numbers takes
# about as long as one of a thousand.
MOST_AHEAD = 2**18

Drawn = tuple[int, tuple[int, ...], float, torch.dtype, torch.device]


class Ahead(Randomness):
    """Draws what `Randomness` draws, and the dropout masks of a round's later steps ahead.

    A mask is drawn ahead where the step before, or the first step of the round before, drew one of
    the same shape, at the same rate, in the same place; what no step needed is thrown away.
    """

    def __init__(self) -> None:
        super().__init__()
        self._keys = torch.empty(0, dtype=torch.int32)
        self._at = -1
        self._first: set[Drawn] = set()
        self._before: set[Drawn] = set()
        self._now: set[Drawn] = set()
        self._masks: dict[Drawn, tuple[int, tuple[Tensor, ...]]] = {}

    def begin_round(self, keys: Tensor) -> None:
        """Start a round: `keys` are those of its steps, int32, shape [steps]."""
        self._keys, self._at = keys, -1
        self._masks.clear()

    def next_step(self) -> None:
        """Start the round's next step."""
        self._at += 1
        self._before, self._now = self._now if self._at else self._first, set()
        if self._at == 0:
            self._first = self._now
        self.begin(self._keys[self._at])

    def kept(self, shape: Sequence[int], rate: float | Tensor, like: Tensor) -> Tensor:
        """See `Randomness.kept`."""
        if isinstance(rate, Tensor):
            return super().kept(shape, rate, like)
        drawn = (self._draws, tuple(shape), rate, like.dtype, like.device)
        self._now.add(drawn)
        first, masks = self._masks.get(drawn, (0, ()))
        if first <= self._at < first + len(masks):
            self.skip()
            return masks[self._at - first]
        steps = min(len(self._keys) - self._at, MOST_AHEAD // max(1, math.prod(shape)))
        if steps < 2 or drawn not in self._before:
            return super().kept(shape, rate, like)
        self._masks[drawn] = self._at, self._drawn(drawn, steps)
        return self.kept(shape, rate, like)

    def _drawn(self, drawn: Drawn, steps: int) -> tuple[Tensor, ...]:
        """The masks of this step and those after it."""
        draw, shape, rate, dtype, device = drawn
        keys = self._keys[self._at : self._at + steps].view(-1, *[1] * len(shape))
        return factors(hashed(keys, draw, shape, device), rate, dtype).unbind()
