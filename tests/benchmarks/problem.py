"""What searches are compared on: a space and a loss over it, with the loss of its optimum.

Regret is normalised by the optimum and the median loss of random configurations: 0 is the optimum,
1 is what half of all random configurations beat.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"  # real data, which lie outside of the project
CACHE = ROOT / ".nettuner" / "benchmarks"
DRAWS = 20_001
# Trials of each search, and after how many it is judged.
BUDGET, JUDGED_AFTER = 50, (25, 50)

Params = Mapping[str, Any]
Dimensions = dict[str, dict[str, Any]]
Loss = Callable[[Params], float]


def as_it_is(loss: Any) -> Any:
    """The loss itself."""
    return loss


@dataclass(frozen=True)
class Problem:
    """A space and a loss over it.

    Args:
        name: Of the problem.
        space: As a study's YAML has it: distributions and conditions.
        loss: Of a configuration, lower is better; the true one where trials are noisy.
        optimum: The lowest loss there is.
        median: The median loss of random configurations.
        scale: Scale that regret is judged on; searches see the loss itself.
        noisy: Loss of one trial of a configuration; None where that is the true one.
    """

    name: str
    space: Dimensions
    loss: Loss
    optimum: float
    median: float
    scale: Callable[[Any], Any] = as_it_is
    noisy: Callable[[Params, np.random.Generator], float] | None = None

    def regret(self, loss: Any) -> Any:
        """0 at the optimum, 1 at the median of random configurations; of one loss or an array."""
        optimum, median = self.scale(self.optimum), self.scale(self.median)
        return np.maximum((self.scale(loss) - optimum) / (median - optimum), 0.0)

    def trials(self, seed: int) -> Loss:
        """The loss as the trials of one search see it, one after another."""
        noisy = self.noisy
        if noisy is None:
            return self.loss
        rng = np.random.default_rng([seed, 2])
        return lambda params: noisy(params, rng)


def sample(space: Dimensions, rng: np.random.Generator) -> dict[str, Any]:
    """One random configuration; dimensions that a condition switches off are absent."""
    found: dict[str, Any] = {}
    for name, dimension in space.items():
        when = dimension.get("when", {})
        if all(found.get(parent) in as_list(wanted) for parent, wanted in when.items()):
            found[name] = drawn(dimension, rng)
    return found


def as_list(wanted: Any) -> list[Any]:
    """A condition's value or values."""
    return wanted if isinstance(wanted, list) else [wanted]


def drawn(dimension: Mapping[str, Any], rng: np.random.Generator) -> Any:
    """A random value of one dimension."""
    if "values" in dimension:
        return dimension["values"][int(rng.integers(len(dimension["values"])))]
    low, high = dimension["low"], dimension["high"]
    if dimension["distribution"] == "integer":
        if not dimension.get("log"):
            return int(rng.integers(low, high + 1))
        start, end = math.log(low - 0.5), math.log(high + 0.5)
        return min(max(round(math.exp(rng.uniform(start, end))), low), high)
    if dimension["distribution"] == "log-uniform":
        return math.exp(rng.uniform(math.log(low), math.log(high)))
    return float(rng.uniform(low, high))


def made(name: str, space: Dimensions, loss: Loss, optimum: float) -> Problem:
    """A problem whose median is measured."""
    rng = np.random.default_rng(0)
    median = float(np.median([loss(sample(space, rng)) for _ in range(DRAWS)]))
    return Problem(name, space, loss, optimum, median)
