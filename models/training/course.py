"""The course of a trial's metric over its rounds: which round counts, and when it is over."""

from __future__ import annotations

import math
from collections.abc import Mapping

from nettuner.models.study import Goal, Study
from nettuner.models.training.early_end import EarlyEnd


class Course:
    """What the metric did so far.

    Args:
        goal: Metric and direction.
        study: Study, which says what counts and how patient a trial is.
        early: Rule of the search that may end it; None for none.
    """

    def __init__(self, goal: Goal, study: Study, early: EarlyEnd | None = None) -> None:
        self._early = early
        self._goal = goal
        self._patience = study.patience_rounds
        self.best_counts = study.score == "best"
        """Whether the best round is what counts; else the last one."""
        self.round = 0
        """The latest round, counted from 1."""
        self.best_round = 0
        self.best: Mapping[str, float] = {}
        """The metrics of the best round; of equals the first one."""
        self._least = math.inf

    def add(self, round_: int, metrics: Mapping[str, float]) -> None:
        """Add the metrics of a round."""
        self.round = round_
        if self._early is not None:
            self._early.add(round_, metrics)
        score = self._goal.score(metrics)
        if score < self._least:
            self._least, self.best_round, self.best = score, round_, dict(metrics)

    @property
    def is_best(self) -> bool:
        """Whether no round before was as good as the latest."""
        return self.round == self.best_round

    @property
    def stopped(self) -> str | None:
        """Why training ends here; None if it goes on."""
        if self._patience is not None and self.round - self.best_round >= self._patience:
            return f"at {self.round} no better than at {self.best_round} (patience_rounds)"
        return None if self._early is None else self._early.decide()

    @property
    def is_over(self) -> bool:
        """Whether training ends here."""
        return self.stopped is not None
