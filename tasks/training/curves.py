"""The curves of a search's trials, in flight and ended, as they are read from their logs."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from nettuner.models.curve import Curve, Point, extended, thinned
from nettuner.models.study import Goal, Proposal, Study


@dataclass
class _Growing:
    """A curve that grows, and what has been spent since its last point."""

    rounds: int
    points: list[Point] = field(default_factory=list)
    seconds: float = 0.0


class Curves:
    """Curves by number of the trial; threads of several trials add to it.

    Args:
        study: Study of the search, which says whether rounds are counted or told.
        goal: Metric and direction.
    """

    def __init__(self, study: Study, goal: Goal) -> None:
        self._counted = study.rounds > 0
        self._goal = goal
        self._growing: dict[int, _Growing] = {}
        self._lock = threading.Lock()

    def begin(self, number: int, done: int) -> None:
        """Begin a trial that goes on after so many rounds."""
        with self._lock:
            self._growing[number] = _Growing(done)

    def add(self, number: int, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add what a trial has logged; a round whose metric is not finite, or missing, is left
        out."""
        with self._lock:
            for row in rows:
                self._add(self._growing[number], row)

    def _add(self, growing: _Growing, row: Mapping[str, Any]) -> None:
        growing.seconds += row["seconds"]
        if not row["round"]:
            return
        growing.rounds += 1
        value = row["metrics"].get(self._goal.metric, math.nan)
        if math.isfinite(value):
            at = growing.rounds if self._counted else row["step"]
            score = self._goal.score(row["metrics"])
            point = Point(at, score, round(growing.seconds, 6))
            growing.points = extended(growing.points, point)
            growing.seconds = 0.0

    def of(self, number: int) -> Curve:
        """The curve of a trial so far; a long one is thinned."""
        with self._lock:
            growing = self._growing.get(number)
            return thinned(growing.points) if growing else ()

    def told(self, proposal: Proposal) -> Proposal:
        """A proposal in flight with its curve so far."""
        return replace(proposal, curve=self.of(proposal.number))
