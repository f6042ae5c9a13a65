"""Thins a long history, so that fitting a model stays fast."""

from __future__ import annotations

import numpy as np

from nettuner.models.arrays import Floats, Ints


def thinned(targets: Floats, most: int) -> Ints:
    """Indices of at most `most` trials, ascending: half are the best, the others spread.

    The others are evenly spaced among the rest sorted by score, so that the whole range of scores
    is covered.
    """
    if len(targets) <= most:
        return np.arange(len(targets))
    best_first = np.argsort(targets, kind="stable")
    rest = best_first[most // 2 :]
    spread = rest[np.linspace(0, len(rest) - 1, most - most // 2).round().astype(int)]
    return np.sort(np.concatenate([best_first[: most // 2], spread]))
