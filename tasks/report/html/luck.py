"""What chance explains: the best of several trials, and trials that it cannot tell apart."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from nettuner.models.arrays import Floats, Ints
from nettuner.models.study import Trial
from nettuner.tasks.report.html.searched import Searched
from nettuner.tasks.report.html.surrogate import Surrogate
from nettuner.tasks.strategies.bayesian.coordinates import identity

# Random orders that the trials are put into, and numbers of trials that are looked at.
ORDERS, COUNTS = 400, 60
# Share of the orders inside the band.
INSIDE = 0.8
SEED = 0


@dataclass(frozen=True)
class Noise:
    """How much the score of one trial varies by chance.

    Args:
        deviation: Standard deviation, in units of the metric.
        source: Where that is known from, in words.
    """

    deviation: float
    source: str


@dataclass(frozen=True)
class RandomOrder:
    """Best score of the first few trials, had they come in another order.

    Args:
        counts: Numbers of trials, ascending; shape [n].
        low, middle, high: Ends of the band and median of the best score; shape [n].
    """

    counts: Ints
    low: Floats
    middle: Floats
    high: Floats


def random_order(scores: Sequence[float]) -> RandomOrder:
    """The best of k trials for each k, over random orders of the trials.

    Args:
        scores: Scores of all trials; infinite where one failed. At least one is finite.
    """
    rng = np.random.default_rng(SEED)
    orders = rng.permuted(np.tile(np.asarray(scores, dtype=float), (ORDERS, 1)), axis=1)
    counts = np.unique(np.geomspace(1, len(scores), COUNTS).round().astype(int))
    bests = np.minimum.accumulate(orders, axis=1)[:, counts - 1]
    outside = (1 - INSIDE) / 2
    low, middle, high = np.quantile(bests, [outside, 0.5, 1 - outside], axis=0, method="nearest")
    return RandomOrder(counts, low, middle, high)


def noise(search: Searched, model: Surrogate | None) -> Noise | None:
    """How much a score varies by chance; None where nothing tells.

    Known from trainings of the same configuration if there are any, else as the model has it.
    """
    known: dict[str, Sequence[Sequence[float]]] = {
        "the trainings of each trial": [trial.scores for trial in search.scored],
        "the finals": [final.scores for final in search.past.finals],
    }
    if not search.is_population:  # its segments have been trained for different times
        known["configurations that were tried more than once"] = _same(search.scored)
    for source, groups in known.items():
        found = pooled(groups)
        if found is not None:
            return Noise(found, source)
    if model is None or not 0 < model.noise < math.inf or model.explained < 0:
        return None
    return Noise(model.noise, "what the model cannot explain")


def pooled(groups: Sequence[Sequence[float]]) -> float | None:
    """Standard deviation inside groups, pooled; None where no group has two finite values."""
    squares, freedom = 0.0, 0
    for group in groups:
        values = np.asarray(group, dtype=float)
        if len(values) > 1 and np.isfinite(values).all():
            with np.errstate(over="ignore"):
                squares += float(((values - values.mean()) ** 2).sum())
            freedom += len(values) - 1
    return math.sqrt(squares / freedom) if freedom and math.isfinite(squares) else None


def as_good(trials: Sequence[Trial], best: float, deviation: float) -> int:
    """Number of trials whose score is no more than one standard deviation from the best."""
    return sum(trial.succeeded and (trial.score or 0.0) - best <= deviation for trial in trials)


def _same(trials: Sequence[Trial]) -> list[list[float]]:
    """The scores of each configuration."""
    found: dict[Hashable, list[float]] = defaultdict(list)
    for trial in trials:
        found[identity(trial.proposal.params)].append(trial.score or 0.0)
    return list(found.values())
