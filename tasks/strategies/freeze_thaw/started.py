"""The configurations that a search has started, from its segments."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from nettuner.models.arrays import Floats, Ints
from nettuner.models.segments import member_of, until_of
from nettuner.models.space import Params
from nettuner.models.study import Proposal, Trial
from nettuner.tasks.strategies.bayesian.coordinates import identity
from nettuner.tasks.strategies.freeze_thaw.observations import Observations


@dataclass(frozen=True)
class Open:
    """A configuration that may be continued.

    Args:
        index: Its index among the started ones.
        last: Its last segment.
        reached: Last round trained.
    """

    index: int
    last: Trial
    reached: int


class Started:
    """What the segments of a search come to; see the attributes.

    Args:
        history: Segments that have ended.
        pending: Segments in flight.
        whole: Rounds of a whole training.
    """

    def __init__(self, history: Sequence[Trial], pending: Sequence[Proposal], whole: int) -> None:
        self._segments: dict[int, list[Trial]] = {}
        for trial in sorted(history, key=lambda trial: trial.number):
            self._segments.setdefault(member_of(trial.proposal), []).append(trial)
        self.flying = sorted(pending, key=lambda proposal: proposal.number)
        """Segments in flight."""
        self.members = sorted(self._segments)
        """The configurations that have a segment that ended."""
        self.index = {member: i for i, member in enumerate(self.members)}
        """The index of each of them."""
        self.params: list[Params] = [self._segments[m][0].proposal.params for m in self.members]
        self._whole = whole

    @property
    def taken(self) -> set[int]:
        """Numbers of all configurations, those in flight too."""
        return set(self.members) | {member_of(proposal) for proposal in self.flying}

    @property
    def identities(self) -> set[Hashable]:
        """What they are."""
        flying = (proposal.params for proposal in self.flying)
        return {identity(params) for params in (*self.params, *flying)}

    @property
    def ended(self) -> int:
        """Number of segments that have ended."""
        return sum(len(segments) for segments in self._segments.values())

    def open(self) -> list[Open]:
        """Those that may be continued: not failed, not in flight, not trained in full."""
        flying = {member_of(proposal) for proposal in self.flying}
        found = []
        for i, member in enumerate(self.members):
            segments = self._segments[member]
            last = max(segments, key=lambda trial: (until_of(trial.proposal), trial.number))
            reached = until_of(last.proposal)
            if member in flying or reached >= self._whole:
                continue
            if all(trial.succeeded for trial in segments):
                found.append(Open(i, last, reached))
        return found

    def observations(self) -> Observations:
        """The curves; a failed segment is a point without a score where it should have ended."""
        points: list[tuple[int, int, float]] = []
        for i, member in enumerate(self.members):
            for trial in self._segments[member]:
                until = until_of(trial.proposal)
                points += [(i, min(point.round, self._whole), point.score) for point in trial.curve]
                if not trial.succeeded:
                    points.append((i, until, np.nan))
                elif not trial.curve and trial.score is not None:
                    points.append((i, until, trial.score))
        owner, round_, score = zip(*points, strict=True) if points else ((), (), ())
        return Observations(
            np.array(owner, dtype=int), np.array(round_, dtype=float), np.array(score, dtype=float)
        )

    def seconds(self) -> tuple[Ints, Floats]:
        """Indices of configurations whose time is known, and their seconds per round."""
        known, found = [], []
        for i, member in enumerate(self.members):
            segments = self._segments[member]
            rounds = sum(trial.rounds for trial in segments)
            spent = sum(trial.seconds for trial in segments)
            if rounds and spent > 0:
                known.append(i)
                found.append(spent / rounds)
        return np.array(known, dtype=int), np.array(found)
