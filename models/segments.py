"""Trainings in several segments, as one trial for each network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from nettuner.models.study import Trial, best


def joined(trials: Iterable[Trial]) -> list[Trial]:
    """One trial for each network that is continued: its last segment with what all have come to.

    Rounds, seconds and curve are those of all its segments; a last one that failed fails it, with
    the score of none. Trials that are whole trainings stay as they are. Networks come in the order
    of their first segments.

    Args:
        trials: Segments of networks that go on from themselves alone, and whole trainings.
    """
    return [_as(segments[-1], segments) for segments in _networks(trials)]


def best_of_each(trials: Iterable[Trial]) -> list[Trial]:
    """One trial for each network that is continued, like `joined`, with its best segment's score.

    That is also its number and its metrics: the network as it was then is what a search answers
    with. Where none succeeded it is the last one.
    """
    return [_as(best(segments) or segments[-1], segments) for segments in _networks(trials)]


def _networks(trials: Iterable[Trial]) -> list[list[Trial]]:
    """The segments of each network in their order."""
    networks: dict[int, list[Trial]] = {}
    for trial in sorted(trials, key=lambda trial: trial.number):
        member = trial.proposal.member
        networks.setdefault(-1 - trial.number if member is None else member, []).append(trial)
    return [
        sorted(segments, key=lambda trial: (trial.proposal.until or 0, trial.number))
        for segments in networks.values()
    ]


def _as(chosen: Trial, ordered: list[Trial]) -> Trial:
    """A segment with what all segments have come to."""
    if len(ordered) == 1:
        return chosen
    return replace(
        chosen,
        seconds=sum(trial.seconds for trial in ordered),
        rounds=sum(trial.rounds for trial in ordered),
        curve=tuple(point for trial in ordered for point in trial.curve),
    )
