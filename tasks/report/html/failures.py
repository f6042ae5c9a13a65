"""Where in the space trials fail: values at, above or below which nearly all of them did."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from nettuner.models.brief import cut
from nettuner.models.space import Space, same
from nettuner.models.space.discrete import Choice
from nettuner.models.study import Trial

# Nearly all: this share of the trials there failed.
NEARLY = 0.8
FEWEST = 3
# Chance by which as many of the failures would lie anywhere if it did not matter where.
UNLIKELY = 0.05
LONGEST_REASON = 200


@dataclass(frozen=True)
class Region:
    """Where nearly all trials failed.

    Args:
        name: Hyperparameter.
        relation: `above`, `below` or `at`.
        value: Value of it; above and below include it.
        failed: Number of trials that failed there.
        tried: Number of trials there.
    """

    name: str
    relation: str
    value: Any
    failed: int
    tried: int


def reasons(trials: Sequence[Trial]) -> list[tuple[str, list[int]]]:
    """Why trials failed, the commonest first, with their numbers."""
    failed = [trial for trial in trials if not trial.succeeded]
    words = {trial.number: _reason(trial) for trial in failed}
    counts = Counter(words.values())
    return [
        (reason, [number for number, word in words.items() if word == reason])
        for reason, _ in counts.most_common()
    ]


def _reason(trial: Trial) -> str:
    return cut(trial.reason or "its metric was no finite number", LONGEST_REASON)


def regions(space: Space, trials: Sequence[Trial]) -> list[Region]:
    """Where trials failed more often than chance explains; at most one for a hyperparameter."""
    found = []
    for name, dimension in space.items():
        there = [trial for trial in trials if name in trial.proposal.params]
        words = isinstance(dimension, Choice) and not dimension.ordered
        text = any(isinstance(t.proposal.params[name], str | bool) for t in there)
        likely = (_at if words or text else _beyond)(name, there)
        if likely is not None and _chance(likely, there) < UNLIKELY / len(space):
            found.append(likely)
    return found


def _at(name: str, trials: Sequence[Trial]) -> Region | None:
    """The value at which most of the trials failed."""
    values: list[Any] = []
    for trial in trials:
        value = trial.proposal.params[name]
        if not any(same(value, known) for known in values):
            values.append(value)
    candidates = []
    for value in values:
        inside = [t for t in trials if same(t.proposal.params[name], value)]
        failed = sum(not trial.succeeded for trial in inside)
        candidates.append(Region(name, "at", value, failed, len(inside)))
    return _clearest(candidates, trials)


def _beyond(name: str, trials: Sequence[Trial]) -> Region | None:
    """The end of a range from which on most of the trials failed."""
    candidates = []
    ordered = sorted(trials, key=lambda trial: float(trial.proposal.params[name]))
    for line, relation in ((ordered[::-1], "above"), (ordered, "below")):
        failed = 0
        for count, (trial, following) in enumerate(pairwise(line), start=1):
            failed += not trial.succeeded
            value = trial.proposal.params[name]
            if not trial.succeeded and value != following.proposal.params[name]:
                candidates.append(Region(name, relation, value, failed, count))
    return _clearest(candidates, trials)


def _clearest(candidates: Sequence[Region], trials: Sequence[Trial]) -> Region | None:
    """The region with the most failures beyond those that as many trials have on average."""
    of_all = sum(not trial.succeeded for trial in trials)
    nearly = [one for one in candidates if one.failed >= max(FEWEST, NEARLY * one.tried)]
    if not nearly:
        return None
    return max(nearly, key=lambda one: one.failed - one.tried * of_all / len(trials))


def _chance(region: Region, trials: Sequence[Trial]) -> float:
    """Probability of as many failures in as many trials picked at random."""
    of_all = sum(not trial.succeeded for trial in trials)
    return by_chance(region.failed, region.tried, of_all, len(trials))


def by_chance(marked: int, drawn: int, of_all: int, all_: int) -> float:
    """Probability that so many drawn without replacement hold at least so many marked ones."""
    ways = math.comb(all_, drawn)
    return (
        sum(
            math.comb(of_all, k) * math.comb(all_ - of_all, drawn - k)
            for k in range(marked, min(drawn, of_all) + 1)
        )
        / ways
    )
