"""Trainings in several segments, as one trial for each network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from nettuner.models.study import Trial


def joined(trials: Iterable[Trial]) -> list[Trial]:
    """One trial for each network that is continued: its last segment with what all have come to.

    Rounds, seconds and curve are those of all its segments; a last one that failed fails it, with
    the score of none. Trials that are whole trainings stay as they are. Networks come in the order
    of their first segments.

    Args:
        trials: Segments of networks that go on from themselves alone, and whole trainings.
    """
    networks: dict[int, list[Trial]] = {}
    for trial in sorted(trials, key=lambda trial: trial.number):
        member = trial.proposal.member
        networks.setdefault(-1 - trial.number if member is None else member, []).append(trial)
    return [_one(segments) for segments in networks.values()]


def _one(segments: list[Trial]) -> Trial:
    if len(segments) == 1:
        return segments[0]
    ordered = sorted(segments, key=lambda trial: (trial.proposal.until or 0, trial.number))
    return replace(
        ordered[-1],
        seconds=sum(trial.seconds for trial in ordered),
        rounds=sum(trial.rounds for trial in ordered),
        curve=tuple(point for trial in ordered for point in trial.curve),
    )
