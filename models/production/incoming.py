"""Data from production as a table: the newest files, or the result of an SQL query."""

from __future__ import annotations

import glob
from pathlib import Path

import pandas as pd

from nettuner.models.data.columns import check_distinct, without
from nettuner.models.data.labelled import Labelled
from nettuner.models.data.preprocessing import listed
from nettuner.models.data.source import Source
from nettuner.models.data.sources.csv import Csv
from nettuner.models.data.sources.parquet import Parquet
from nettuner.models.data.table_source import TableSource
from nettuner.models.data.tables import find_target, has_value, plain_types
from nettuner.models.production.query import run_query

PARQUET = (".parquet", ".pq")


class NoDataError(ValueError):
    """There is nothing to read yet."""


def read_incoming(
    data: str, like: Source, database: str | None = None, newest: int = 1
) -> Incoming:
    """Read the data that are there now.

    Args:
        data: Path of a file, a pattern (`*`, `**`), or, with a database, an SQL query.
        like: Data source of the study: gives the CSV options and the target column.
        database: SQLAlchemy URL of a database; None reads files.
        newest: Number of files to read, those written last.

    Raises:
        NoDataError: There is no such file, or there are no rows.
        ValueError: The data cannot be read, two columns share a name, or the study's data are
            no table.
    """
    target = like.target_column()
    if database is not None:
        table, names = _as_chosen(run_query(data, database), like), [data]
    else:
        files = newest_files(data, newest)
        names = [str(file) for file in files]
        table = _together([_as_chosen(_read(file, like), like) for file in files], names)
    if table.empty:
        raise NoDataError(f"no rows in {', '.join(names)}")
    column = find_target(list(table.columns), target) if isinstance(target, int) else target
    return Incoming(table, column, tuple(names))


class Incoming:
    """Rows from production.

    Args:
        table: Rows as they were read.
        target: Name of the column of true answers, which need not exist (yet).
        names: Names of the files, or the query.
    """

    def __init__(self, table: pd.DataFrame, target: str, names: tuple[str, ...]) -> None:
        self.table = table
        self.target = target
        self.names = names

    @property
    def inputs(self) -> pd.DataFrame:
        """All rows as a served model receives them."""
        return plain_types(self.table.drop(columns=self.target, errors="ignore"))

    @property
    def labelled(self) -> pd.DataFrame:
        """The rows whose true answer is known, as they were read."""
        if self.target not in self.table.columns:
            return self.table.iloc[:0]
        return self.table[has_value(self.table[self.target])].reset_index(drop=True)

    def examples(self) -> Labelled:
        """The rows whose true answer is known, as a served model receives them."""
        return as_labelled(self.labelled, self.target)


def as_labelled(table: pd.DataFrame, target: str) -> Labelled:
    """Split a table into rows as a served model receives them and true answers."""
    if target not in table.columns:
        return Labelled(plain_types(table), ())
    return Labelled(plain_types(table.drop(columns=target)), tuple(table[target].tolist()))


def newest_files(pattern: str, count: int) -> list[Path]:
    """The newest `count` files that match, oldest first.

    Raises:
        NoDataError: No file matches.
    """
    found = [Path(name) for name in glob.glob(str(Path(pattern).expanduser()), recursive=True)]
    files = sorted(
        (file for file in found if file.is_file()), key=lambda file: (file.stat().st_mtime_ns, file)
    )
    if not files:
        raise NoDataError(f"no file {pattern}")
    return files[-count:]


def _read(file: Path, like: Source) -> pd.DataFrame:
    if file.suffix in PARQUET:
        return Parquet(path=str(file)).read()
    # What is read must have the columns of training; numbers in the first line are their names.
    known = like if isinstance(like, Csv) else Csv(path=str(file), header=True)
    return known.at(str(file)).read()


def _as_chosen(table: pd.DataFrame, like: Source) -> pd.DataFrame:
    """The table without what the study leaves out, whether it is there or not."""
    kept = without(table, like.unread if isinstance(like, TableSource) else ())
    check_distinct(kept.columns)
    return kept


def _together(tables: list[pd.DataFrame], names: list[str]) -> pd.DataFrame:
    """Concatenate tables that have the same columns, in any order.

    Raises:
        ValueError: Their columns differ.
    """
    first = set(tables[0].columns)
    for table, name in zip(tables, names, strict=True):
        if set(table.columns) != first:
            raise ValueError(
                f"files that are read together must have the same columns, got "
                f"{listed(sorted(first ^ set(table.columns)))} only in {name} or {names[0]}; "
                "correct the pattern"
            )
    return pd.concat(tables, ignore_index=True)
