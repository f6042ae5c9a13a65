"""Tables as datasets: any DataFrame with a target column."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nettuner.models.arrays import Ints
from nettuner.models.data import fingerprint
from nettuner.models.data.categories import check_categories
from nettuner.models.data.columns import check_distinct
from nettuner.models.data.dataset import Dataset, Split, examples
from nettuner.models.data.division import Division, Together, divide, together
from nettuner.models.data.fit import fit_table, kind_of
from nettuner.models.data.labelled import Labelled
from nettuner.models.data.preprocessing import (
    Preprocessing,
    Several,
    Table,
    Text,
    is_missing,
    listed,
)
from nettuner.models.data.several_targets import SeveralTargets, read_targets
from nettuner.models.data.size import check_size
from nettuner.models.data.source import Source, TaskKind
from nettuner.models.data.split import Rows
from nettuner.models.data.table_source import TableSource
from nettuner.models.data.target import FEWEST_ROWS, Target, read_target
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
        more: Names of further columns to predict.
    """

    own: pd.DataFrame
    target: str
    division: Division = BY_CHANCE
    validation: pd.DataFrame | None = None
    test: pd.DataFrame | None = None
    names: tuple[str, str] = ("the validation rows", "the test rows")
    more: tuple[str, ...] = ()

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of all columns to predict."""
        return (self.target, *self.more)

    @property
    def all(self) -> list[pd.DataFrame]:
        """The rows to be divided, and those of validation and test if these are given."""
        given = (self.own, self.validation, self.test)
        return [part for part in given if part is not None]


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


@dataclass(frozen=True, eq=False)
class Divided:
    """Rows whose target is known, and which of them go where.

    Args:
        tables: Rows as they are given.
        known: Rows of all files whose target is known.
        goal: Target of each.
        rows: Numbers of the rows of each split.
        mean, std: Mean and standard deviation of a target to regress; else 0 and 1.
        several: Means and standard deviations of several targets; None where there is one.
    """

    tables: Tables
    known: Together
    goal: Target | SeveralTargets
    rows: Rows
    mean: float = 0.0
    std: float = 1.0
    several: Several | None = None

    @property
    def targets(self) -> NDArray[Any]:
        """Class indices [rows], standardised numbers [rows], or several targets (float32)."""
        if isinstance(self.goal, SeveralTargets):
            return self.goal.standardised(self.several)
        if self.goal.task == "classification":
            return self.goal.values
        standard: NDArray[Any] = (self.goal.values - self.mean) / self.std
        return standard.astype(np.float32)

    def dataset(
        self,
        inputs: Callable[[Ints], NDArray[Any]],
        preprocessing: Preprocessing,
        served: pd.DataFrame,
    ) -> Dataset:
        """The dataset of these rows.

        Args:
            inputs: Function from row numbers to inputs [rows, *shape].
            preprocessing: Fitted on the training rows.
            served: Rows as a served model receives them.
        """
        targets, raw, rows = self.targets, Labelled(served, self.goal.truth), self.rows
        train, judged, held_out = (
            Split(inputs(part), targets[part]) for part in (rows.train, rows.validation, rows.test)
        )
        return Dataset(
            train,
            judged,
            held_out,
            self.goal.task,
            preprocessing.shape,
            self.goal.classes,
            preprocessing,
            served.iloc[rows.train[examples(len(rows.train))]].reset_index(drop=True),
            raw.at(rows.train),
            raw.at(rows.test),
            fingerprint.of_tables(self.tables.all, self.tables.targets),
            sum(map(len, self.tables.all)) - len(self.known.table),
            targets.shape[1:],
        )

    def preprocessing(self, inputs: Table | Text) -> Preprocessing:
        """The preprocessing of inputs that were fitted, and of the target."""
        return Preprocessing(inputs, self.goal.classes, self.mean, self.std, self.several)


def divided(tables: Tables, source: Source, task: TaskKind | None) -> Divided:
    """Read the target of a table, and divide the rows that have one.

    Args:
        tables: Rows, and how they are divided.
        source: Source: its shares and its split seed.
        task: Task; None guesses it from the target.

    Raises:
        ValueError: The target is missing in all rows or does not suit the task, two columns
            share a name, or a split would be empty.
    """
    check_distinct(tables.own.columns)
    given = together(tables.own, tables.validation, tables.test, tables.names)
    there = [has_value(given.table[name]).to_numpy() for name in tables.targets]
    known = given.at(np.logical_and.reduce(there))
    if known.table.empty:
        raise ValueError(
            f"a target must be known in some rows, got none in {len(given.table)} rows of "
            f"{listed(tables.targets)}; name another target column"
        )
    fewest = FEWEST_ROWS if len(tables.all) == 1 else 1
    goal: Target | SeveralTargets
    if tables.more:
        goal = read_targets(known.table[list(tables.targets)], task, known.places)
    else:
        goal = read_target(known.table[tables.target], task, known.places, fewest)
    shares = (
        source.validation if tables.validation is None else 0.0,
        source.test if tables.test is None else 0.0,
    )
    rows = divide(known, goal, tables.division, shares, source)
    if isinstance(goal, SeveralTargets):
        return Divided(tables, known, goal, rows, several=goal.scale(rows.train))
    return Divided(tables, known, goal, rows, *goal.scale(rows.train))


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
    found = divided(tables, source, task)
    features = found.known.table.drop(columns=[*tables.targets, *tables.division.left_out])
    kinds = {name: kind_of(features[name]) for name in features.columns}
    words = [features[name] for name in kinds if kinds[name] == "category"]
    check_categories(words, found.known.places)
    missing = source.missing if isinstance(source, TableSource) else ()
    fitted = fit_table(features.iloc[found.rows.train], kinds, missing)
    preprocessing = found.preprocessing(fitted)

    def inputs(chosen: Ints) -> NDArray[Any]:
        with np.errstate(over="ignore"):
            encoded = preprocessing.transform(features.iloc[chosen])
        check_size(encoded, fitted.columns)
        return encoded

    served = plain_types(features[list(preprocessing.columns)])
    return found.dataset(inputs, preprocessing, served)


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
