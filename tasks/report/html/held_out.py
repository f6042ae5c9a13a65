"""The winner on rows that did not choose it: the test rows, and the finals."""

from __future__ import annotations

from dataclasses import dataclass

from nettuner.models.study import Trial
from nettuner.tasks.report.html.searched import Searched


@dataclass(frozen=True)
class Beside:
    """Two values of one metric of the winner.

    Args:
        name: Name of the other value.
        chosen_by: The metric by which the winner was chosen.
        other: The same metric on other rows, or of other trainings.
    """

    name: str
    chosen_by: float
    other: float

    def worse(self, direction: str) -> float:
        """By how much the other value is worse; negative where it is better."""
        gap = self.other - self.chosen_by
        return gap if direction == "minimize" else -gap


def on_test(search: Searched) -> Beside | None:
    """The metric of the winner on validation rows beside the same on the test rows."""
    metric, winner = search.goal.metric, search.winner
    if winner is None or not metric.startswith("val_"):
        return None
    name = f"test_{metric.removeprefix('val_')}"
    if name not in search.past.test:
        return None
    return Beside(name, search.value(winner), search.past.test[name])


def in_finals(search: Searched) -> Beside | None:
    """The metric of the winner in the search beside its mean in the finals."""
    winner = search.winner
    if winner is None or not search.past.finals:
        return None
    before = _of_number(search, winner.number)
    if before is None:
        return None
    return Beside("the finals", search.value(before), search.value(winner))


def _of_number(search: Searched, number: int) -> Trial | None:
    return next((trial for trial in search.scored if trial.number == number), None)
