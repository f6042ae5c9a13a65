"""What `nettuner trials --failed` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nettuner.flows.commands.shared import fail
from nettuner.flows.commands.show_table import show_table
from nettuner.models.encodable import encodable
from nettuner.models.study import Trial
from nettuner.tasks.memory import recall
from nettuner.tasks.memory.reader import reader
from nettuner.tasks.report.tables import why

if TYPE_CHECKING:
    import pandas as pd

    from nettuner.tasks.memory.recall import PastSearch


def show_failures(table: pd.DataFrame, searches: Sequence[PastSearch], number: int | None) -> None:
    """Failed trials, and the traceback of one.

    Args:
        table: Table of the failed trials.
        searches: Searches that they are of, the latest last.
        number: Number of the trial whose traceback is shown; None for the one that failed last.
    """
    names = ", ".join(search.name for search in searches)
    found = _chosen(searches, number)
    if found is None and number is not None:
        fail(f"--trial takes a failed trial of {names}, got {number}; leave it out to see all", 2)
    if found is None:
        print(f"no trial of {names} has failed")
        return
    show_table(table)
    search, trial = found
    told = recall.traceback_of(reader(), search, trial.number)
    print(f"trial {trial.number} of {search.name}: {encodable(why(trial))}")
    print(encodable(told).rstrip() if told else "no traceback of it was recorded")


def _chosen(searches: Sequence[PastSearch], number: int | None) -> tuple[PastSearch, Trial] | None:
    """The trial whose traceback is shown, and its search; None if none has failed."""
    failed = [
        (search, trial)
        for search in searches
        for trial in search.trials
        if not trial.succeeded and number in (None, trial.number)
    ]
    return failed[-1] if failed else None
