"""nettuner's Bayesian search with parts taken out, with other settings, and as alternatives.

`VARIANTS` tells what each ingredient is worth: it shows when that is left out. `CHOICES` are the
settings that leaving one family of problems out chooses among.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
from scipy.stats import norm, rankdata, yeojohnson

from nettuner.tasks.strategies import bayesian
from nettuner.tasks.strategies.bayesian import (
    candidates,
    expectation,
    gaussian_process,
    marginal_likelihood,
    targets,
    trend,
    warping,
)
from nettuner.tasks.strategies.bayesian.coordinates import Coordinates

Patches = list[contextlib.AbstractContextManager[object]]
Found = tuple[np.ndarray, float] | None


def ranked(scores: np.ndarray) -> Found:
    """Normal scores by rank."""
    return targets.in_units(norm.ppf(rankdata(scores) / (len(scores) + 1)))


def powers(scores: np.ndarray) -> Found:
    """Scores after the power that makes them most like a Gaussian (Yeo & Johnson 2000)."""
    found = targets.standardised(scores)
    return None if found is None else targets.in_units(yeojohnson(found)[0])


def half_ranked(scores: np.ndarray) -> Found:
    """The worse half by rank, the better half as it is, as Google's Vizier does."""
    found = targets.standardised(scores)
    if found is None:
        return None
    median = np.median(found)
    better = found < median
    spread = math.sqrt(float(np.mean((found[better] - median) ** 2))) if better.any() else 1.0
    places = rankdata(found) / (len(found) + 1)
    tail = median + spread * norm.ppf(np.maximum(places, 0.5))
    return targets.in_units(np.where(better, found, tail))


def instead(transformed: Callable[[np.ndarray], Found] = targets.in_units) -> Patches:
    """Another transformation of the scores, and none by likelihood."""

    def as_they_are(columns: Any, groups: Any, scores: Any, known: Any, trend: Any) -> Any:
        return scores, known

    return set_to(expectation, in_units=transformed, warped=as_they_are)


def set_to(module: object, **values: object) -> Patches:
    """Constants or functions of a module replaced."""
    return [patch.object(module, name, value) for name, value in values.items()]


def column_groups(coordinates: Coordinates) -> np.ndarray:
    """A length scale for each column, as one-hot encoding usually has it."""
    return np.arange(coordinates.columns(coordinates.points([])).shape[1])


VARIANTS: dict[str, tuple[str, Callable[[], Patches]]] = {
    "one_start": (
        "the fit is started once instead of three times",
        lambda: set_to(gaussian_process, RESTARTS=0),
    ),
    "more_starts": ("... or seven times", lambda: set_to(gaussian_process, RESTARTS=6)),
    "flat_lengths": (
        "all length scales are equally likely beforehand",
        lambda: set_to(marginal_likelihood, LENGTH_STD=100.0),
    ),
    "long_lengths": (
        "length scales as Hvarfner et al. (2024) have them",
        lambda: set_to(marginal_likelihood, LENGTH_MEAN=math.sqrt(2)),
    ),
    "level_zero": (
        "the level of the scores is their mean",
        lambda: set_to(trend, LEVEL=0.0),
    ),
    "scale_a_column": (
        "each value of a choice has a length scale of its own",
        lambda: [patch.object(Coordinates, "groups", property(column_groups))],
    ),
    "no_slopes": ("no slopes in the trend", lambda: set_to(trend, SLOPES=0.0)),
    "no_bowl": ("no bowl in the trend", lambda: set_to(trend, BOWL=0.0, BELIEF=0.0)),
    "no_trend": (
        "a level alone",
        lambda: set_to(trend, SLOPES=0.0, BOWL=0.0, BELIEF=0.0),
    ),
    "own_scale": ("scores on their own scale", instead),
    "start_everywhere": (
        "start points come from the whole range",
        lambda: set_to(bayesian, MIDST=1.0),
    ),
    "outliers_kept": ("no score is pulled in", lambda: set_to(targets, FAR=1e9)),
    "powers": (
        "scores are transformed by Yeo and Johnson's power",
        lambda: instead(powers),
    ),
    "ranks": ("scores are replaced by ranks", lambda: instead(ranked)),
    "half_ranks": (
        "the worse half of the scores is replaced by ranks",
        lambda: instead(half_ranked),
    ),
    "no_local_search": (
        "candidates come from everywhere and near the best trials only",
        lambda: set_to(candidates, RADII=()),
    ),
    "no_flips": (
        "no neighbours in one listed value",
        lambda: [patch.object(Coordinates, "flips", lambda self, points, rng: points[:0])],
    ),
    "more_candidates": (
        "four times the candidates",
        lambda: set_to(candidates, EVERYWHERE=2000, PROMISING=20),
    ),
}
# Other settings of the strategy, as a study may give them.
SETTINGS: dict[str, tuple[str, dict[str, object]]] = {
    "repeats": ("configurations may be repeated (repeat: true)", {"repeat": True}),
    "explore_half": ("explore: 0.5", {"explore": 0.5}),
    "explore_twice": ("explore: 2", {"explore": 2}),
    "start_of_25": ("half of the budget fills the space (initial: 25)", {"initial": 25}),
}


# One setting changed at a time.
CHOICES: dict[str, tuple[str, Callable[[], Patches]]] = {
    "no_belief": ("the bowl may as well be a hill", lambda: set_to(trend, BELIEF=0.0)),
    "more_belief": ("worse towards the ends: twice as much", lambda: set_to(trend, BELIEF=0.6)),
    "start_wider": ("start points: 0.85 of each axis", lambda: set_to(bayesian, MIDST=0.85)),
    "start_everywhere": VARIANTS["start_everywhere"],
    "noisier": (
        "noise is thought ten times as large",
        lambda: set_to(marginal_likelihood, NOISE_MEAN=math.log(1e-3)),
    ),
    "logarithms_later": (
        "logarithms need ten times the evidence",
        lambda: set_to(warping, LARGER=0.5 + math.log(10)),
    ),
    "logarithms_steeper": (
        "logarithms start nearer to the best",
        lambda: set_to(warping, BELOW=0.3),
    ),
}


def patches(name: str) -> Patches:
    """What changes the strategy to this variant or choice; nothing for other names."""
    if name == "unbelieved":
        return failures_unbelieved()
    found = VARIANTS.get(name) or CHOICES.get(name)
    return found[1]() if found else []


def failures_unbelieved() -> Patches:
    """Whether trials work is learned, but not that nothing is to be gained beside a failed one."""
    learned = expectation._learned

    def without(*given: Any) -> Any:
        found = learned(*given)
        return found and (replace(found[0], failed=found[0].failed[:0]), found[1])

    return set_to(expectation, _learned=without)
