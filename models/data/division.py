"""Which rows of a table are trained on: by chance, by group, by time, or as their files say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nettuner.models.arrays import Ints
from nettuner.models.data.columns import check_distinct
from nettuner.models.data.fit import kind_of
from nettuner.models.data.preprocessing import Label, days, listed, numbers, texts
from nettuner.models.data.several_targets import SeveralTargets
from nettuner.models.data.source import Source
from nettuner.models.data.split import Rows, split
from nettuner.models.data.split_by_group import split_by_group
from nettuner.models.data.split_by_time import split_by_time
from nettuner.models.data.target import Target
from nettuner.models.did_you_mean import did_you_mean

# Where a row comes from: a file that is divided, or one that is a split of its own.
OWN, VALIDATION, TEST = range(3)


@dataclass(frozen=True)
class Division:
    """How a table is divided.

    Args:
        group: Column whose equal values go to one split; None for none.
        time: Column that says which rows are newer; None for none.
        left_out: Columns that are no inputs.
    """

    group: str | None = None
    time: str | None = None
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Together:
    """The rows of one file, or of several one after another.

    Args:
        table: Rows.
        origin: Shape [rows]: `OWN`, `VALIDATION` or `TEST`.
        places: Shape [rows]: place of each row in its file from 1, with the file's name if there
            are several.
    """

    table: pd.DataFrame
    origin: Ints
    places: NDArray[Any]

    def at(self, chosen: NDArray[np.bool_]) -> Together:
        """The chosen rows."""
        table = self.table[chosen].reset_index(drop=True)
        return Together(table, self.origin[chosen], self.places[chosen])


def together(
    own: pd.DataFrame,
    validation: pd.DataFrame | None,
    test: pd.DataFrame | None,
    names: tuple[str, str],
) -> Together:
    """The rows of all files.

    Args:
        own: Rows to be divided.
        validation, test: Rows of these splits; None where they are shares of the others.
        names: What the rows of validation and of test are called.

    Raises:
        ValueError: Their columns differ.
    """
    if validation is None and test is None:
        return Together(own, np.full(len(own), OWN), np.arange(len(own)) + 1)
    tables, origin = [own], [np.full(len(own), OWN)]
    places: list[Any] = [*range(1, len(own) + 1)]
    for apart, split_, name in ((validation, VALIDATION, names[0]), (test, TEST, names[1])):
        if apart is None:
            continue
        check_distinct(apart.columns)
        missing = [column for column in own.columns if column not in apart.columns]
        more = [column for column in apart.columns if column not in own.columns]
        if missing or more:
            raise ValueError(
                f"{name} must have the columns of the training rows, got "
                + " and ".join(
                    f"{what} {listed(columns, 5)}"
                    for what, columns in (("none named", missing), ("more:", more))
                    if columns
                )
                + "; correct the file, or leave columns out with drop"
            )
        tables.append(apart[list(own.columns)])
        origin.append(np.full(len(apart), split_))
        places += [f"{row} of {name}" for row in range(1, len(apart) + 1)]
    return Together(
        pd.concat(tables, ignore_index=True),
        np.concatenate(origin),
        np.array(places, dtype=object),
    )


def divide(
    known: Together,
    goal: Target | SeveralTargets,
    division: Division,
    shares: tuple[float, float],
    source: Source,
) -> Rows:
    """The rows of each split.

    Args:
        known: Rows with a target.
        goal: Target of each of them.
        division: Columns that decide.
        shares: Shares of validation and test; 0 where these have files of their own.
        source: Source: its split seed, and its fold if it is one.

    Raises:
        ValueError: A split would be empty, a row has no group or time, or a class no training row.
    """
    apart = [np.flatnonzero(known.origin == of) for of in (VALIDATION, TEST)]
    own = np.flatnonzero(known.origin == OWN)
    for published, share, what in zip(apart, shares, ("validation", "test"), strict=True):
        if share == 0 and not len(published):
            raise ValueError(
                f"every split needs a row, got none with a target for {what}; correct its file"
            )
    found = _divided(known.table.iloc[own], known.places[own], goal, own, division, shares, source)
    rows = Rows(
        own[found.train],
        np.concatenate([own[found.validation], apart[0]]),
        np.concatenate([own[found.test], apart[1]]),
    )
    if isinstance(goal, Target) and goal.task == "classification":
        _check_trained(goal.classes, np.unique(goal.values[rows.train]), len(rows.train))
    return rows


def _divided(
    table: pd.DataFrame,
    places: NDArray[Any],
    goal: Target | SeveralTargets,
    own: Ints,
    division: Division,
    shares: tuple[float, float],
    source: Source,
) -> Rows:
    classes = goal.values[own] if goal.task == "classification" else None
    if division.group is not None:
        groups = _groups(table[division.group], places)
        rows = split_by_group(groups, *shares, source.split_seed, classes)
        return source.folded(rows, classes, groups)
    if division.time is not None:
        return split_by_time(_times(table[division.time], places), *shares)
    return source.folded(split(len(own), *shares, source.split_seed, classes), classes)


def _groups(column: pd.Series[Any], places: NDArray[Any]) -> Ints:
    """The group of each row, from 0."""
    codes, found = texts(column)
    known = {text: number for number, text in enumerate(dict.fromkeys(found))}
    _check_complete(np.array([*(text is None for text in found), True])[codes], places, column)
    numbered = np.array([known[text] for text in found], dtype=np.int64)[codes]
    groups: Ints = np.unique(numbered, return_inverse=True)[1]
    return groups


def _times(column: pd.Series[Any], places: NDArray[Any]) -> NDArray[np.float64]:
    """The moment of each row: days, or numbers as they are."""
    kind = kind_of(column)
    if kind == "category":
        shown = column.dropna()
        raise ValueError(
            f"split_by_time must name a column of dates as 2020-12-31 or of numbers, got "
            f"{shown.iloc[0] if len(shown) else None!r} in {column.name!r}; write them so"
        )
    times = days(column) if kind == "date" else numbers(column)
    _check_complete(np.isnan(times), places, column)
    return times


def _check_complete(gaps: NDArray[np.bool_], places: NDArray[Any], column: pd.Series[Any]) -> None:
    if gaps.any():
        more = f" (and in {int(gaps.sum()) - 1} more)" if gaps.sum() > 1 else ""
        raise ValueError(
            f"every row needs a value in the column that divides the rows, got none of "
            f"{column.name!r} in row {places[gaps][0]}{more}; fill it or leave the row out"
        )


def _check_trained(classes: tuple[Label, ...], trained: Ints, rows: int) -> None:
    absent = [label for place, label in enumerate(classes) if place not in set(trained.tolist())]
    if absent:
        raise ValueError(
            f"every class must occur among the {rows} training rows, got none of "
            f"{listed(absent, 5)}; divide the rows otherwise, or leave those of these classes out"
        )


def divides(columns: list[str], key: str, name: str, targets: tuple[str, ...]) -> str:
    """The column that divides the rows, which the table must have beside its targets.

    Raises:
        ValueError: It is the target, or there is none.
    """
    if name not in columns:
        hint = did_you_mean(name, columns)
        raise ValueError(
            f"{key} must name a column, got {name!r}; {hint}the table has: {listed(columns)}"
        )
    if name in targets:
        raise ValueError(
            f"{key} must name another column than the target, got {name!r} for both; "
            "correct one of them"
        )
    return name
