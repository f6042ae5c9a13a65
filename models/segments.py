"""Trainings in several segments: of which network one is, and all as one trial for each network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from nettuner.models.study import Proposal, Trial, best


def member_of(proposal: Proposal) -> int:
    """The network that a segment belongs to."""
    assert proposal.member is not None
    return proposal.member


def until_of(proposal: Proposal) -> int:
    """The last round of a segment."""
    assert proposal.until is not None
    return proposal.until


def best_of_each(trials: Iterable[Trial]) -> list[Trial]:
    """One trial for each network that is continued: its best segment with what all have come to.

    Number, score and metrics are those of the best segment, as the network of then is what a search
    answers with; where none succeeded it is the last one. Rounds, seconds and curve are those of
    all. Trials that are whole trainings stay as they are. Networks come in the order of their first
    segments.

    Args:
        trials: Segments of networks that go on from themselves alone, and whole trainings.
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
