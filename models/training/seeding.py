"""Seeds of a training, and global generators that are set for a while and put back."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

# What a key is for, beside the initial weights and the rounds and epochs, which it may also end in:
# numbers that none of these reaches. (SeedSequence takes (5, 3) and (5, 3, 0) for the same.)
READING = 2**32 - 1
OWN = 2**32 - 2


def derived_seed(*key: int) -> int:
    """A seed for torch, derived from all numbers of the key."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))


@contextmanager
def seeded(*key: int) -> Iterator[None]:
    """Seed torch inside the block, and restore its generator afterwards.

    (`torch.manual_seed` would look for other devices each time, which takes longer than a step.)
    """
    before = torch.get_rng_state()
    torch.default_generator.manual_seed(derived_seed(*key))
    try:
        yield
    finally:
        torch.set_rng_state(before)


def seed_generators(*key: int) -> None:
    """Seed the global generators of Python, numpy and torch, from which users' code draws."""
    seed = derived_seed(*key)
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - what users' code draws from
    torch.manual_seed(seed)


class Generators:
    """Generators of torch, numpy and Python of their own, which code that draws from the global
    ones uses inside of a block.

    Args:
        key: Numbers that the seed is derived from.
    """

    def __init__(self, *key: int) -> None:
        self.seed = derived_seed(*key)
        self._torchs = torch.Generator().manual_seed(self.seed).get_state()
        self._numpys = np.random.MT19937(self.seed)
        self._pythons = random.Random(self.seed).getstate()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Use them inside the block; the next one goes on where it ended."""
        # numpy's is exchanged as a whole: to copy its state takes longer than many a batch.
        numpys = np.random.get_bit_generator()  # type: ignore[attr-defined]
        before = torch.get_rng_state(), numpys, random.getstate()
        _set(self._torchs, self._numpys, self._pythons)
        try:
            yield
        finally:
            self._torchs, self._pythons = torch.get_rng_state(), random.getstate()
            _set(*before)


def _set(torchs: Tensor, numpys: np.random.BitGenerator, pythons: tuple[Any, ...]) -> None:
    torch.set_rng_state(torchs)
    np.random.set_bit_generator(numpys)  # type: ignore[attr-defined]
    random.setstate(pythons)
