"""Tables as datasets: any DataFrame with a target column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nettuner.models.data import fingerprint
from nettuner.models.data.categories import check_categories
from nettuner.models.data.columns import check_distinct
from nettuner.models.data.dataset import Dataset, Split, examples
from nettuner.models.data.division import Division, divide, together
from nettuner.models.data.fit import fit_table, kind_of
from nettuner.models.data.labelled import Labelled
from nettuner.models.data.preprocessing import Preprocessing, is_missing, listed
from nettuner.models.data.size import check_size
from nettuner.models.data.source import Source, TableSource, TaskKind
from nettuner.models.data.target import FEWEST_ROWS, read_target
from nettuner.models.did_you_mean import did_you_mean

BY_CHANCE = Division()


@dataclass(frozen=True, eq=False)
class Tables:
    """A table with a target, and those that are splits of their own.

    Args:
        own: Rows to be divided.
        target: Name of the column to predict.
        division: Columns that decide which rows go where.
        validation, test: Rows of these splits, where they have files of their own.
        names: What these two are called.
    """

    own: pd.DataFrame
    target: str
    division: Division = BY_CHANCE
    validation: pd.DataFrame | None = None
    test: pd.DataFrame | None = None
    names: tuple[str, str] = ("the validation rows", "the test rows")


def unreadable(path: str, kind: str, error: Exception) -> ValueError:
    """What to say of a file that is no table of this kind."""
    reason = " ".join(str(error).split())
    return ValueError(f"{path} is no {kind} table: {reason}; correct the file or its description")


def two_columns(table: pd.DataFrame, source: TableSource) -> pd.DataFrame:
    """The table, which must have a target and a column to learn from.

    Raises:
        ValueError: It has not.
    """
    if len(table.columns) < 2:
        hint = "; give its separator" if source.source == "csv" else "; add columns"
        raise ValueError(
            f"a table needs a target and a column to learn from, got only "
            f"{listed(table.columns)} in {source.path}{hint}"
        )
    return table


def find_target(columns: list[str], target: str | int) -> str:
    """The column that is meant by a name or a position (negative: from the end).

    Raises:
        ValueError: There is no such column.
    """
    if isinstance(target, int):
        if -len(columns) <= target < len(columns):
            return columns[target]
        raise ValueError(
            f"the target must be one of {len(columns)} columns, got position {target}; "
            f"the table has: {listed(columns)}"
        )
    if target in columns:
        return target
    hint = did_you_mean(target, columns)
    raise ValueError(f"no column named {target!r}; {hint}the table has: {listed(columns)}")


def table_dataset(tables: Tables, source: Source, task: TaskKind | None = None) -> Dataset:
    """Split a table, fit the preprocessing to its training rows, and apply it to all.

    Args:
        tables: Rows, and how they are divided.
        source: Source: its shares and its split seed.
        task: Task; None guesses it from the target.

    Raises:
        ValueError: The target is missing in all rows or does not suit the task, two columns
            share a name, texts are no categories, or a split would be empty.
    """
    target, division = tables.target, tables.division
    check_distinct(tables.own.columns)
    given = together(tables.own, tables.validation, tables.test, tables.names)
    present = has_value(given.table[target]).to_numpy()
    present_rows = given.at(present)
    known, places = present_rows.table, present_rows.places
    if known.empty:
        raise ValueError(
            f"a target must be known in some rows, got none in {len(present)} rows of {target!r}; "
            "name another target column"
        )
    of_files = [part for part in (tables.own, tables.validation, tables.test) if part is not None]
    fewest = FEWEST_ROWS if len(of_files) == 1 else 1
    goal = read_target(known[target], task, places, fewest)
    shares = (
        source.validation if tables.validation is None else 0.0,
        source.test if tables.test is None else 0.0,
    )
    rows = divide(present_rows, goal, division, shares, source.split_seed)
    mean, std = goal.scale(rows.train)
    features = known.drop(columns=[target, *division.left_out])
    kinds = {name: kind_of(features[name]) for name in features.columns}
    check_categories([features[name] for name in kinds if kinds[name] == "category"], places)
    missing = source.missing if isinstance(source, TableSource) else ()
    fitted = fit_table(features.iloc[rows.train], kinds, missing)
    preprocessing = Preprocessing(fitted, goal.classes, mean, std)
    targets = goal.values
    if goal.task == "regression":
        targets = ((targets - mean) / std).astype(np.float32)

    served = plain_types(features[list(preprocessing.columns)])
    raw = Labelled(served, goal.truth)

    def part(chosen: NDArray[np.int64]) -> Split:
        with np.errstate(over="ignore"):
            inputs = preprocessing.transform(features.iloc[chosen])
        check_size(inputs, fitted.columns)
        return Split(inputs, targets[chosen])

    return Dataset(
        part(rows.train),
        part(rows.validation),
        part(rows.test),
        goal.task,
        preprocessing.shape,
        goal.classes,
        preprocessing,
        served.iloc[rows.train[examples(len(rows.train))]].reset_index(drop=True),
        raw.at(rows.train),
        raw.at(rows.test),
        fingerprint.of_tables(of_files, target),
        len(present) - len(known),
    )


def has_value(column: pd.Series[Any]) -> pd.Series[bool]:
    """Where a target is known: not missing, no text for missing, not infinite."""
    if pd.api.types.is_float_dtype(column.dtype):
        column = column.replace([np.inf, -np.inf], np.nan)
    return column.notna() & ~np.array([is_missing(value) for value in column], dtype=bool)


def plain_types(rows: pd.DataFrame) -> pd.DataFrame:
    """The same rows with types that survive without pandas' extensions."""
    return pd.DataFrame({name: _plain(rows[name]) for name in rows.columns}, rows.index)


def _plain(column: pd.Series[Any]) -> pd.Series[Any]:
    types, gaps = pd.api.types, bool(column.isna().any())
    if types.is_datetime64_any_dtype(column.dtype):
        return column
    if types.is_bool_dtype(column.dtype) and not gaps:
        return column.astype(bool)
    if types.is_integer_dtype(column.dtype) and not gaps:
        return column.astype("int64")
    if types.is_numeric_dtype(column.dtype) and not types.is_bool_dtype(column.dtype):
        return pd.Series(column.to_numpy(np.float64, na_value=np.nan), column.index)
    values = column.astype(object)
    return values.where(values.notna(), None)
