"""What is kept of the trials that ended, so that what is shown costs the same for any number."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Sequence

from nettuner.models.curve import Curve
from nettuner.models.study import Goal, Proposal, Trial
from nettuner.tasks.report.live.sparkline import shortened
from nettuner.tasks.report.live.state import Ending, Line

# Trials that ended last, of which some are shown.
LAST = 6
# Points of a curve that is shown, and of one that is kept because it may go on.
POINTS, KEPT_POINTS = 12, 96
# Different reasons of failures that are counted; further ones are not.
MOST_REASONS = 200

_NUMBER = re.compile(r"\d+(\.\d+)?")


class Tally:
    """Counts trials as they end.

    Args:
        goal: Metric and direction.
    """

    def __init__(self, goal: Goal) -> None:
        self._goal = goal
        self.ended = 0
        self.rounds = 0
        self.failed = 0
        self.networks: set[int] = set()
        self._curves: dict[int, tuple[float, ...]] = {}
        self.last: deque[Line] = deque(maxlen=LAST)
        self._reasons: Counter[str] = Counter()
        self._example: dict[str, str] = {}

    def add(self, trials: Sequence[Trial]) -> None:
        """Count those that ended since the last call."""
        for trial in trials:
            self.ended += 1
            self.rounds += trial.rounds
            self.networks.add(network(trial.proposal))
            if not trial.succeeded:
                self._fail(trial.reason or "its metric is not finite")
            self.last.appendleft(self._line(trial))

    def _fail(self, reason: str) -> None:
        self.failed += 1
        kind = _NUMBER.sub("#", reason)  # numbers of trials and rounds do not tell reasons apart
        if kind in self._reasons or len(self._reasons) < MOST_REASONS:
            self._reasons[kind] += 1
            self._example[kind] = reason

    @property
    def commonest(self) -> tuple[str, int] | None:
        """The commonest reason, and how many failed for it; None without failures."""
        if not self._reasons:
            return None
        kind, count = self._reasons.most_common(1)[0]
        return self._example[kind], count

    def whole_curve(self, proposal: Proposal, curve: Curve) -> tuple[float, ...]:
        """The metric of a network over all of its segments, as people see it, at some points.

        Args:
            proposal: Its latest segment.
            curve: Curve of this segment.
        """
        before = () if proposal.member is None else self._curves.get(proposal.member, ())
        values = [self._goal.value(point.score) for point in curve]
        return shortened([*before, *values], KEPT_POINTS)

    def _line(self, trial: Trial) -> Line:
        ending: Ending = "failed"
        if trial.succeeded:
            ending = "" if trial.stopped is None else "stopped"
        whole = self.whole_curve(trial.proposal, trial.curve)
        if trial.proposal.member is not None:
            self._curves[trial.proposal.member] = whole
        return Line(
            name(trial.proposal),
            None if trial.score is None else self._goal.value(trial.score),
            shortened(whole, POINTS),
            trial.curve[-1].round if trial.curve else trial.rounds,
            0,
            trial.reason or trial.stopped or "",
            ending,
        )


def network(proposal: Proposal) -> int:
    """The number of the network that a trial trains, or of which it is a segment."""
    return proposal.number if proposal.member is None else proposal.member


def name(proposal: Proposal) -> str:
    """How a trial is called in a line."""
    return str(network(proposal))
