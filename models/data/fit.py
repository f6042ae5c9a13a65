"""Fits the preprocessing of a table to its training rows."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

from nettuner.models.data.preprocessing import (
    Category,
    Number,
    Table,
    days,
    is_missing,
    numbers,
    texts,
)

Kind = Literal["number", "date", "category"]

MOST_CATEGORIES = 50
DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?")


def kind_of(column: pd.Series[Any]) -> Kind:
    """What a column holds, from the types of all its rows, not from their statistics."""
    types = pd.api.types
    if types.is_bool_dtype(column.dtype) or isinstance(column.dtype, pd.CategoricalDtype):
        return "category"
    if types.is_numeric_dtype(column.dtype):
        return "number"
    if types.is_datetime64_any_dtype(column.dtype):
        return "date"
    values = _distinct(column)
    if any(isinstance(value, bool) for value in values):
        return "category"
    if _all_dates(column, values):
        return "date"
    return "number" if _all_numbers(column) else "category"


def _distinct(column: pd.Series[Any]) -> list[Any]:
    try:
        return [value for value in column.dropna().unique() if not is_missing(value)]
    except TypeError:
        raise ValueError(
            f"a column must hold single values, got {column.dropna().iloc[0]!r} in "
            f"{column.name!r}; drop the column or spread it over several"
        ) from None


def _all_dates(column: pd.Series[Any], values: list[Any]) -> bool:
    if not values or not all(DATE.fullmatch(str(value).strip()) for value in values):
        return False
    try:
        days(column)
    except ValueError:
        return False
    return True


def _all_numbers(column: pd.Series[Any]) -> bool:
    try:
        numbers(column)
    except ValueError:
        return False
    return True


def fit_table(
    rows: pd.DataFrame, kinds: Mapping[str, Kind], missing: tuple[str, ...] = ()
) -> Table:
    """Fit every column of the training rows; those that never vary are left out.

    Args:
        rows: Training rows.
        kinds: What each column holds.
        missing: Texts that will stand for a missing value, beside the usual ones.

    Raises:
        ValueError: No column varies, or one has numbers too large or small to be standardised.
    """
    fitted = [_fit(rows[name], kind) for name, kind in kinds.items()]
    columns = tuple(column for column in fitted if column is not None)
    if not columns:
        raise ValueError(
            f"a column must vary to be learned from, but none of {len(kinds)} does in the training "
            "rows; give the table more columns"
        )
    return Table(columns, missing)


def _fit(column: pd.Series[Any], kind: Kind) -> Number | Category | None:
    if kind == "category":
        return _fit_category(column)
    return _fit_number(column, dates=kind == "date")


def _fit_number(column: pd.Series[Any], dates: bool) -> Number | None:
    values = days(column) if dates else numbers(column)
    gaps = np.isnan(values)
    if gaps.all() or _never_varies(len(np.unique(values[~gaps])), bool(gaps.any())):
        return None
    median = float(np.median(values[~gaps]))
    filled = np.where(gaps, median, values)
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std = float(filled.mean()), float(filled.std())
    if not math.isfinite(std) or (std == 0 and filled.min() < filled.max()):
        raise ValueError(
            f"numbers must have a standard deviation that a float holds, got numbers from "
            f"{filled.min():g} to {filled.max():g} in {column.name!r}; rescale the column"
        )
    return Number(
        str(column.name),
        median,
        mean,
        std if std > 0 else 1.0,
        bool(gaps.any()),
        dates,
    )


def _fit_category(column: pd.Series[Any]) -> Category | None:
    codes, found = texts(column)
    rows_of = np.bincount(codes[codes >= 0], minlength=len(found))
    counts: Counter[str | None] = Counter({None: int((codes < 0).sum())})
    for text, rows in zip(found, rows_of.tolist(), strict=True):
        counts[text] += rows
    missing = counts.pop(None, 0) > 0
    if not counts or _never_varies(len(counts), missing):
        return None
    frequent = sorted(counts, key=lambda text: (-counts[text], str(text)))
    other = len(frequent) > MOST_CATEGORIES
    kept = frequent[: MOST_CATEGORIES - 1] if other else frequent
    return Category(str(column.name), tuple(sorted(map(str, kept))), other, missing)


def _never_varies(distinct: int, missing: bool) -> bool:
    return distinct == 1 and not missing
