"""Whether a trial in flight ends after a round, as its worker decides by what it is told.

The search writes the curves of all trials to a file as it reads them from their logs; a worker
reads what is new in it after each round, so that it decides at once.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

from nettuner.models.curve import Point, extended
from nettuner.models.training.job import Job


class StoppedEarly(BaseException):
    """Leaves a user's function that is not to go on; nobody has to catch it.

    It is no `Exception`, so that `except Exception` lets it pass; `finally` runs.
    """


class ToldCurves:
    """The curves of a search's trials, as far as a file has them.

    Args:
        path: Path of the file; a line for each point.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self.curves: dict[int, list[Point]] = {}

    def add(self, number: int, point: Point) -> None:
        """Add a point of a trial."""
        self.curves[number] = extended(self.curves.get(number, []), point)

    def read(self) -> None:
        """Read what is new in the file."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            number, *point = json.loads(line)
            self.add(number, Point(*point))


class EarlyEnd:
    """Whether a trial ends early.

    Args:
        job: Job of the trial, which has the rule.
        told: Curves of all trials; members of a stack share them. None: those of the job's file.
    """

    def __init__(self, job: Job, told: ToldCurves | None = None) -> None:
        self._job = job
        self._told = told or ToldCurves(job.told)
        self.curve: list[Point] = []
        """The trial's own curve so far."""
        self.reason: str | None = None
        """Why the trial ends; None if it goes on."""
        self._undecided = False

    def add(self, round_: int, metrics: Mapping[str, float]) -> None:
        """Add the metrics of a round, or of a step that a function reports."""
        goal = self._job.goal
        if self._job.rule is None or not math.isfinite(metrics.get(goal.metric, math.nan)):
            return
        before = len(self.curve)
        self.curve = extended(self.curve, Point(round_, goal.score(metrics), 0.0))
        self._told.add(self._job.proposal.number, self.curve[-1])
        self._undecided = len(self.curve) > before

    def decide(self) -> str | None:
        """Why the trial ends after the latest round; None if it goes on."""
        if self._undecided and self._job.rule is not None:
            self._undecided = False
            self._told.read()
            own = self._job.proposal.number
            others = {k: curve for k, curve in self._told.curves.items() if k != own}
            self.reason = self._job.rule.reason(self.curve, others)
        return self.reason
