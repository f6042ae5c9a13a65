"""What a search has come to after each round that it trained."""

from __future__ import annotations

import time
from typing import Any

from early_tables import Curve, Problem, regret

# Rounds that a search trains, and the regret that nobody goes on from.
HORIZON = {"taskset": 2000, "own": 1000, "lcbench": 1000}
GOOD = 0.02


class Trace:
    """The regret of the lowest score seen so far, at its improvements.

    Args:
        problem: Problem that is searched.
        horizon: Rounds after which the search is over.
    """

    def __init__(self, problem: Problem, horizon: int) -> None:
        self._problem, self._horizon = problem, horizon
        self._rounds, self._seconds = 0, 0.0
        self._best = float("inf")
        self._steps: list[tuple[int, float, float]] = []
        self._began = time.process_time()

    @property
    def is_over(self) -> bool:
        """Whether all rounds were trained, or the regret is next to none."""
        found = self._steps and self._steps[-1][2] <= GOOD
        return bool(found) or self._rounds >= self._horizon

    def train(self, curve: Curve, start: int, end: int) -> None:
        """One configuration trained from after one round to the end of another."""
        for score, seconds in zip(curve.score[start:end], curve.seconds[start:end], strict=True):
            self._rounds += 1
            self._seconds += float(seconds)
            if score < self._best:
                self._best = float(score)
                found = round(regret(self._problem, self._best), 6)
                self._steps.append((self._rounds, round(self._seconds, 3), found))

    def answer(self) -> dict[str, Any]:
        """Rounds, seconds and regret at each improvement, the rounds in all, and CPU seconds."""
        cpu = round(time.process_time() - self._began, 2)
        return {"steps": self._steps, "rounds": self._rounds, "cpu": cpu}
