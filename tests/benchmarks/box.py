"""Optimum and median of a function of numbers that is cheap to compute for many at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from problem import Dimensions

DRAWS, BEST, NEAR = 20_001, 20, 50
# Standard deviations of the steps from the best, in shares of each range, and how many of each.
STEPS, TIMES = (0.1, 0.03, 0.01), 15
# Share of the dimensions that a step changes.
CHANGED = 0.4


class Box:
    """The values of a space of numbers at places from 0 to 1; shape [n, dimensions]."""

    def __init__(self, space: Dimensions) -> None:
        dimensions = space.values()
        whole = np.array([d["distribution"] == "integer" for d in dimensions])
        log = [d.get("log", False) or d["distribution"] == "log-uniform" for d in dimensions]
        self._whole, self._log = whole, np.array(log)
        self._lows = np.array([float(d["low"]) for d in dimensions])
        self._highs = np.array([float(d["high"]) for d in dimensions])

    def __len__(self) -> int:
        return len(self._lows)

    def values(self, places: np.ndarray) -> np.ndarray:
        """Each whole number has its share of the range."""
        low, high = self._lows - self._whole / 2, self._highs + self._whole / 2
        start = np.where(self._log, np.log(np.where(self._log, low, 1.0)), low)
        end = np.where(self._log, np.log(np.where(self._log, high, 1.0)), high)
        found = start + places * (end - start)
        found = np.where(self._log, np.exp(np.where(self._log, found, 0.0)), found)
        found = np.where(self._whole, np.rint(found), found)
        return np.clip(found, self._lows, self._highs)


def extremes(box: Box, losses: Callable[[np.ndarray], np.ndarray]) -> tuple[float, float]:
    """The lowest loss found by random and local search, and the median of random ones."""
    rng = np.random.default_rng(0)
    places = rng.random((DRAWS, len(box)))
    found = losses(box.values(places))
    median = float(np.median(found))
    for step in STEPS:
        for _ in range(TIMES):
            order = np.argsort(found)[:BEST]
            best = places[order]
            moves = rng.normal(0, step, (BEST * NEAR, len(box)))
            moves *= rng.random(moves.shape) < CHANGED
            near = np.clip(np.repeat(best, NEAR, axis=0) + moves, 0, 1)
            places = np.concatenate([best, near])
            found = np.concatenate([found[order], losses(box.values(near))])
    return float(found.min()), median
