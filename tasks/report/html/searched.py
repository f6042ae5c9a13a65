"""What a report is made of: one search, as it is recorded."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from nettuner.models.answers import Answered, from_plain
from nettuner.models.space import Space
from nettuner.models.study import Goal, Study, Trial
from nettuner.tasks.memory import recall
from nettuner.tasks.memory.recall import PastSearch
from nettuner.tasks.memory.tags import ANSWERED
from nettuner.tasks.report.draw_schedules import PICTURE
from nettuner.tasks.report.tables import stopped_early

FAILED, STOPPED, ENDED = "failed", "stopped early", "trained to its end"
if TYPE_CHECKING:
    from nettuner.tasks.memory.reader import Reader


@dataclass(frozen=True)
class Searched:
    """A search and its study.

    Args:
        past: Search as it is recorded.
        study: Study as it was searched.
        schedules: Picture of a population's schedules, PNG; None where there is none.
        answered: What the winner answers to the test rows; None where that was not kept.
    """

    past: PastSearch
    study: Study
    schedules: bytes | None = None
    answered: Answered | None = None

    @property
    def goal(self) -> Goal:
        """Metric and direction."""
        return self.past.goal

    @property
    def space(self) -> Space:
        """The space that was searched."""
        return self.study.space

    @cached_property
    def trials(self) -> list[Trial]:
        """One trial for each network in the order of their ends; a population's segments."""
        return sorted(self.past.networks, key=lambda trial: (trial.ended, trial.number))

    @cached_property
    def scored(self) -> list[Trial]:
        """Those that have a score."""
        return [trial for trial in self.trials if trial.succeeded]

    @cached_property
    def failed(self) -> list[Trial]:
        """Those that have none."""
        return [trial for trial in self.trials if not trial.succeeded]

    @cached_property
    def winner(self) -> Trial | None:
        """The trial that the search answers with, in finals with its scores there."""
        found = self.past.winner
        return found if found is not None and found.succeeded else None

    @property
    def is_population(self) -> bool:
        """Whether hyperparameters change while a network is trained."""
        return self.past.members != {} and self.past.networks is self.past.trials

    def value(self, trial: Trial) -> float:
        """The metric of a trial; NaN where it has none."""
        return self.goal.value(trial.score or 0.0) if trial.succeeded else math.nan

    def fate(self, trial: Trial) -> str:
        """How a trial ended."""
        if not trial.succeeded:
            return FAILED
        return ENDED if stopped_early(trial, self.past) is None else STOPPED


def searched(mlflow: Reader, past: PastSearch) -> Searched:
    """A search with what is recorded beside its trials."""
    schedules = recall.kept_file(mlflow, past.run_id, PICTURE) if past.members else None
    kept = recall.kept_file(mlflow, past.run_id, ANSWERED)
    answered = None if kept is None else from_plain(json.loads(kept))
    return Searched(past, recall.as_searched(mlflow, past), schedules, answered)
