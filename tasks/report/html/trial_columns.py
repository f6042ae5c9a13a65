"""The trials of a search as columns that several charts share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nettuner.models.arrays import Floats
from nettuner.models.study import Trial
from nettuner.tasks.report.html.charts import plain, source
from nettuner.tasks.report.html.scales import Line, drawable
from nettuner.tasks.report.html.searched import Searched
from nettuner.tasks.report.html.words import clock, short

# Hyperparameters of a trial that are told where it is pointed at.
MOST_TOLD = 12
BRIEFLY = {"trial": "trial", "metric": "shown", "took": "seconds"}
TOLD = {**BRIEFLY, "": "params"}
"""What is told of a trial, and the column that has it."""
# Width over which the trials of one listed value are spread, as a share of its room.
SPREAD = 0.5


def columns(search: Searched, trials: Sequence[Trial], **more: Any) -> Any:
    """A source with what is briefly told of trials, their metric, and further columns."""
    return source(
        trial=[trial.number for trial in trials],
        metric=drawable([search.value(trial) for trial in trials]),
        shown=[_result(search, trial) for trial in trials],
        seconds=[clock(trial.seconds) for trial in trials],
        **more,
    )


class Dots:
    """Trials at their places on the lines of hyperparameters, once for all charts.

    Args:
        search: Search whose trials they are.
        names: Hyperparameters.
    """

    def __init__(self, search: Searched, names: Sequence[str]) -> None:
        self._search = search
        self.lines = {name: Line(search.space[name]) for name in names}
        self.column = {name: f"x{k}" for k, name in enumerate(names)}
        self.scored = self._of(search.scored)
        self.failed = self._of(search.failed)
        winner = search.winner
        self.winner = self._of([winner] if winner is not None else [])

    def _of(self, trials: Sequence[Trial]) -> Any:
        places = {self.column[name]: self._places(name, trials) for name in self.lines}
        told = [_params(trial) for trial in trials]
        return columns(self._search, trials, params=told, **places)

    def _places(self, name: str, trials: Sequence[Trial]) -> Floats:
        """Places on a line, NaN where there is none; those of a listed value are spread."""
        line = self.lines[name]
        found = np.array(
            [
                line.place(trial.proposal.params[name]) if name in trial.proposal.params else np.nan
                for trial in trials
            ],
            dtype=float,
        )
        if line.listed is not None:
            # Steps of the golden ratio: even, and the same in every report.
            spread = np.array([trial.number for trial in trials]) * 0.618034 % 1 - 0.5
            found = found + spread * SPREAD / len(line.listed)
        return found


def _result(search: Searched, trial: Trial) -> str:
    if trial.succeeded:
        return plain(search.goal.shown(trial))
    return plain(f"failed: {short(trial.reason)}")


def _params(trial: Trial) -> str:
    given = list(trial.proposal.params.items())
    told = [f"{name} {short(value)}" for name, value in given[:MOST_TOLD]]
    return plain(", ".join([*told, *(["…"] if len(given) > MOST_TOLD else [])]))
