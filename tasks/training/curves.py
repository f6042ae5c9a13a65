"""The curves of a search's trials, in flight and ended, as they are read from their logs."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nettuner.models.curve import Curve, Point, extended, thinned
from nettuner.models.study import Goal, Proposal, Study, Trial


@dataclass
class _Growing:
    """A curve that grows, and what has been spent since its last point."""

    begun: int
    rounds: int
    points: list[Point] = field(default_factory=list)
    seconds: float = 0.0


class Curves:
    """Curves by number of the trial; threads of several trials add to it.

    Args:
        study: Study of the search, which says whether rounds are counted or told.
        goal: Metric and direction.
        told: Path of a file that tells workers the curves of all trials; None where none is needed.
    """

    def __init__(self, study: Study, goal: Goal, told: Path | None = None) -> None:
        self._told = told
        if told is not None:
            told.unlink(missing_ok=True)  # of a search that was killed
        self._counted = study.rounds > 0
        self._goal = goal
        self._growing: dict[int, _Growing] = {}
        self._lock = threading.Lock()

    def begin(self, number: int, done: int) -> None:
        """Begin a trial that goes on after so many rounds."""
        with self._lock:
            self._growing[number] = _Growing(done, done)

    def add(self, number: int, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add what a trial has logged; a round whose metric is not finite, or missing, is left
        out."""
        with self._lock:
            for row in rows:
                self._add(number, self._growing[number], row)

    def _add(self, number: int, growing: _Growing, row: Mapping[str, Any]) -> None:
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
            self._tell(number, [point])

    def remember(self, trials: Iterable[Trial]) -> None:
        """Tell workers the curves of trials from before a resume."""
        with self._lock:
            for trial in trials:
                self._tell(trial.number, trial.curve)

    def _tell(self, number: int, points: Iterable[Point]) -> None:
        if self._told is not None:
            lines = [json.dumps([number, *point]) + "\n" for point in points]
            with self._told.open("a", encoding="utf-8") as file:
                file.write("".join(lines))

    def of(self, number: int) -> Curve:
        """The curve of a trial so far; a long one is thinned."""
        with self._lock:
            growing = self._growing.get(number)
            return thinned(growing.points) if growing else ()

    def begun(self, number: int) -> int:
        """Rounds after which a trial went on; 0 for one that began anew."""
        with self._lock:
            growing = self._growing.get(number)
            return growing.begun if growing else 0

    def latest(self, number: int) -> tuple[int, float | None]:
        """Rounds of a trial so far, or its latest step, and its latest score, None without one."""
        with self._lock:
            growing = self._growing.get(number)
            if growing is None:
                return 0, None
            last = growing.points[-1] if growing.points else None
            reached = growing.rounds if self._counted or last is None else last.round
            return reached, None if last is None else last.score

    def told(self, proposal: Proposal) -> Proposal:
        """A proposal in flight with its curve so far."""
        return replace(proposal, curve=self.of(proposal.number))
