"""The table of all trials, and that of the failed ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nettuner.tasks.report.html.failures import reasons
from nettuner.tasks.report.html.findings import Findings
from nettuner.tasks.report.html.searched import Searched
from nettuner.tasks.report.html.words import short
from nettuner.tasks.report.tables import trials_table

# Columns that say nothing beside the others.
LEFT_OUT = ("search", "failed")
MOST_NUMBERS = 20
# Hyperparameters beyond those in the charts have no column.
MOST_COLUMNS = 30


@dataclass(frozen=True)
class Cell:
    """A cell: its text, and what it is sorted by."""

    text: str
    key: float | str
    is_number: bool


def rows(findings: Findings) -> tuple[list[str], list[list[Cell]]]:
    """Names of the columns, and a row for each trial, the best first."""
    search = findings.search
    table = trials_table(search.past)
    if table.empty:
        return [], []
    hidden = {name for name in search.space.names() if name not in findings.shown}
    names = [n for n in table.columns if n not in LEFT_OUT and n not in hidden][:MOST_COLUMNS]
    fates = {trial.number: search.fate(trial) for trial in search.trials}
    found = [
        [*(_cell(row[name]) for name in names), _cell(fates[row["trial"]])]
        for row in table.to_dict("records")
    ]
    return [*map(str, names), "end"], found


def _cell(value: Any) -> Cell:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and value == value and float(value).is_integer() and abs(value) < 1e15:
        return Cell(str(int(value)), float(value), True)
    return Cell(short(value), float(value) if number else short(value), number)


def failures(search: Searched) -> list[Mapping[str, str | int]]:
    """Why trials failed, how often, and which."""
    return [
        {"reason": reason, "count": len(numbers), "trials": _numbers(numbers)}
        for reason, numbers in reasons(search.trials)
    ]


def _numbers(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:MOST_NUMBERS]))
    return f"{shown}, …" if len(numbers) > MOST_NUMBERS else shown
