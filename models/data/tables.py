"""Tables: CSV, Parquet, or any DataFrame with a target column."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nettuner.models.data import fingerprint
from nettuner.models.data.contents import read
from nettuner.models.data.dataset import Dataset, Split, examples
from nettuner.models.data.fit import fit_table, kind_of
from nettuner.models.data.labelled import Labelled
from nettuner.models.data.preprocessing import MISSING, Preprocessing, is_missing, listed
from nettuner.models.data.source import Csv, Parquet, Source, TaskKind
from nettuner.models.data.split import split
from nettuner.models.data.target import read_target
from nettuner.models.did_you_mean import did_you_mean


def load_csv(source: Csv) -> Dataset:
    """The dataset in a CSV file, gzipped or not.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it cannot be read as a table, or has no such target.
    """
    return _load(read_csv(source), source)


def load_parquet(source: Parquet) -> Dataset:
    """The dataset in a Parquet file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it cannot be read as a table, or has no such target.
    """
    return _load(read_parquet(source.path), source)


def read_parquet(path: str) -> pd.DataFrame:
    """The file as a table.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no table.
    """
    content = read(path)
    try:
        table = pd.read_parquet(io.BytesIO(content))
    except Exception as error:  # pyarrow's errors share no base
        raise _unreadable(path, "Parquet", error) from None
    return table.rename(columns=str)


def read_csv(source: Csv) -> pd.DataFrame:
    """The file as a table; columns of a file without a header are named "0", "1", ...

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no table.
    """
    content = read(source.path)
    one_character = len(source.separator) == 1
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # fields without a column
            table = pd.read_csv(
                io.BytesIO(content),
                sep=source.separator,
                header=0 if source.header else None,
                index_col=False,
                keep_default_na=False,
                na_values=sorted(MISSING),
                skipinitialspace=True,
                dtype_backend="numpy_nullable",
                encoding="utf-8-sig",
                engine="c" if one_character else "python",
                low_memory=not one_character,  # only the C engine can read a column as a whole
            )
    except (ValueError, pd.errors.ParserWarning) as error:
        raise _unreadable(source.path, "CSV", error) from None
    table = table.rename(columns=str)
    _check_header(table, source)
    return table


def _unreadable(path: str, kind: str, error: Exception) -> ValueError:
    reason = " ".join(str(error).split())
    return ValueError(f"{path} is no {kind} table: {reason}; correct the file or its description")


def _check_header(table: pd.DataFrame, source: Csv) -> None:
    """A first line of numbers is data: taken for names, it would silently be lost."""
    names = list(table.columns)
    numeric = [name for name in names if _is_number(name)]
    counted = names == [str(i) for i in range(len(names))]
    if source.header and not counted and 2 * len(numeric) > len(names):
        raise ValueError(
            f"the first line of {source.path} must hold column names, got {listed(names, most=5)}; "
            "set header to false if it is data"
        )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _load(table: pd.DataFrame, source: Csv | Parquet) -> Dataset:
    if len(table.columns) < 2:
        hint = "; give its separator" if isinstance(source, Csv) else "; add columns"
        raise ValueError(
            f"a table needs a target and a column to learn from, got only "
            f"{listed(table.columns)} in {source.path}{hint}"
        )
    target = find_target(list(table.columns), source.target)
    return table_dataset(table, target, source, source.task)


def find_target(columns: list[str], target: str | int) -> str:
    """The column that is meant by a name or a position (negative: from the end).

    Raises:
        ValueError: there is no such column.
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


def table_dataset(
    table: pd.DataFrame, target: str, source: Source, task: TaskKind | None = None
) -> Dataset:
    """Split a table, fit the preprocessing to its training rows, and apply it to all.

    Raises:
        ValueError: the target is missing in all rows or does not suit the task, two columns
            share a name, or a split would be empty.
    """
    _check_names(table)
    known = table[has_value(table[target])].reset_index(drop=True)
    if known.empty:
        raise ValueError(
            f"a target must be known in some rows, got none in {len(table)} rows of {target!r}; "
            "name another target column"
        )
    goal = read_target(known[target], task)
    rows = split(
        len(known),
        source.validation,
        source.test_share,
        source.split_seed,
        goal.values if goal.task == "classification" else None,
    )
    mean, std = goal.scale(rows.train)
    features = known.drop(columns=target)
    fitted = fit_table(
        features.iloc[rows.train], {name: kind_of(features[name]) for name in features.columns}
    )
    preprocessing = Preprocessing(fitted, goal.classes, mean, std)
    targets = goal.values
    if goal.task == "regression":
        targets = ((targets - mean) / std).astype(np.float32)

    served = plain_types(features[list(preprocessing.columns)])
    raw = Labelled(served, goal.truth)

    def part(chosen: NDArray[np.int64]) -> Split:
        return Split(preprocessing.transform(features.iloc[chosen]), targets[chosen])

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
        fingerprint.of_table(table, target),
        len(table) - len(known),
    )


def _check_names(table: pd.DataFrame) -> None:
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise ValueError(f"columns need distinct names, got {twice[0]!r} twice; rename one")


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
