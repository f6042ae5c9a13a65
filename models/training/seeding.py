"""Seeds of a training, and global generators that are set for a while and put back."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


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
        self._states: tuple[Any, Any, Any] | None = None

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Use them inside the block; the next one goes on where it ended."""
        before = _states()
        if self._states is None:
            torch.default_generator.manual_seed(self.seed)
            np.random.seed(self.seed % 2**32)  # noqa: NPY002 - what users' code draws from
            random.seed(self.seed)
        else:
            _set(self._states)
        try:
            yield
        finally:
            self._states = _states()
            _set(before)


def _states() -> tuple[Any, Any, Any]:
    return torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002


def _set(states: tuple[Any, Any, Any]) -> None:
    torchs, numpys, pythons = states
    torch.set_rng_state(torchs)
    np.random.set_state(numpys)  # noqa: NPY002
    random.setstate(pythons)
