"""CSV files."""

from __future__ import annotations

import codecs
import io
import re
import warnings
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, StrictBool, StrictInt, StrictStr, model_validator

from nettuner.models.data.contents import read
from nettuner.models.data.table_source import TableSource, TableTask, Targets

if TYPE_CHECKING:
    import pandas as pd


def _known(encoding: str) -> str:
    """The name of an encoding of texts.

    Raises:
        ValueError: Python knows none of this name.
    """
    try:
        "".encode(encoding)
    except (LookupError, ValueError):
        raise ValueError(
            f"must be an encoding that Python knows, got {encoding!r}; such as utf-8, cp1252 or "
            "latin-1"
        ) from None
    return encoding


def _mostly_numbers(names: Collection[str]) -> bool:
    from nettuner.models.data.categories import is_number

    return 2 * sum(map(is_number, names)) > len(names)


class Csv(TableSource):
    """A CSV file with one row per example."""

    source: Literal["csv"] = "csv"
    path: StrictStr = Field(description="The file, relative to the study's folder; may be gzipped.")
    target: StrictStr | StrictInt | Targets = Field(
        -1,
        description="Column to predict: its name, or its position (negative: from the end). A list "
        "of them: several numbers, or several labels of 0 and 1.",
    )
    header: StrictBool | None = Field(
        None,
        description="Whether the first line holds column names (default: it does, and they are "
        "not mostly numbers).",
    )
    separator: StrictStr | None = Field(
        None,
        description="What stands between two columns (default: a comma, or what alone makes a "
        "table of semicolon, tab and bar).",
    )
    decimal: Literal[".", ","] | None = Field(
        None,
        description="What stands before the decimals (default: a point; a comma where separator is "
        "found, and all numbers have one).",
    )
    thousands: Literal[",", ".", "'", " ", "_"] | None = Field(
        None, description="What stands between groups of three digits (default: nothing)."
    )
    encoding: Annotated[StrictStr, AfterValidator(_known)] | None = Field(
        None,
        description="How letters are written (default: UTF-8, or Windows-1252 if it is none).",
    )
    task: TableTask | None = Field(
        None, description="Classification or regression; guessed from the target if absent."
    )
    drop: tuple[StrictStr, ...] = Field(
        (), description="Columns to leave out, by name: identifiers, free texts, row numbers."
    )

    @model_validator(mode="after")
    def _marks_differ(self) -> Csv:
        if self.thousands is not None and self.thousands == self.decimal:
            raise ValueError(
                f"thousands: must be another mark than decimal, got {self.thousands!r} for both; "
                "correct one of them"
            )
        return self

    @classmethod
    def at_place(cls, place: Path) -> dict[str, Any] | None:
        """A file by its ending, gzipped or not; without a header if its first line is numbers."""
        is_table = place.name.lower().removesuffix(".gz").endswith((".csv", ".tsv"))
        if not (place.is_file() and is_table):
            return None
        fields = {"path": str(place)}
        return {**fields, "header": False} if cls(**fields)._begins_with_numbers() else fields

    def _begins_with_numbers(self) -> bool:
        """Whether most of the first line are numbers; not where it cannot be read."""
        content = read(self.path)
        try:
            first = self._described(content)._parsed(content, header=None, nrows=1, dtype=str)
        except ValueError:
            return False
        return _mostly_numbers(first.iloc[0].dropna())

    @property
    def has_header(self) -> bool:
        """Whether the first line is taken for column names."""
        return self.header is not False

    def recognised(self) -> dict[str, str]:
        """What is not said here and the file tells: its encoding, separator and decimal mark."""
        from nettuner.models.data.csv_format import COMMA, POINT, UTF8

        described = self._described(read(self.path))
        usual = {"encoding": UTF8, "separator": COMMA, "decimal": POINT}
        return {
            key: getattr(described, key)
            for key, value in usual.items()
            if getattr(self, key) is None and getattr(described, key) != value
        }

    def read(self) -> pd.DataFrame:
        """All of the file, gzipped or not, as a table.

        Columns of a file without a header are named "0", "1", ...; those without a name in a
        header "Unnamed: 0", "Unnamed: 1", ...

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is no table.
        """
        content = read(self.path)
        return self._described(content)._read(content)

    def _described(self, content: bytes) -> Csv:
        """The same with all that the content tells. What is said is not recognised against it."""
        from nettuner.models.data.csv_format import (
            COMMA,
            POINT,
            UTF8,
            decimal_of,
            encoding_of,
            separator_of,
        )

        encoding = self.encoding or encoding_of(content)
        if codecs.lookup(encoding).name == "utf-8":
            encoding = UTF8
        separator, decimal = self.separator, self.decimal
        if separator is None:
            text = content.decode(encoding, errors="replace")
            separator = separator_of(text)
            if decimal is None and self.thousands is None:
                decimal = decimal_of(text, separator)
        decimal = decimal or (COMMA if self.thousands == POINT else POINT)
        return self.model_copy(
            update={"encoding": encoding, "separator": separator, "decimal": decimal}
        )

    def _read(self, content: bytes) -> pd.DataFrame:
        import pandas as pd

        from nettuner.models.data.tables import unreadable

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", pd.errors.ParserWarning)  # fields without a column
                table = self._parsed(content, header=0 if self.has_header else None)
                if self.has_header:
                    written = self._parsed(content, header=None, nrows=1, dtype=str).iloc[0]
        except (ValueError, pd.errors.ParserWarning) as error:
            raise unreadable(self.path, "CSV", error) from None
        table = table.rename(columns=str)
        if self.has_header:  # pandas gives the second of two equal names another one
            table.columns = pd.Index(
                [new or old for new, old in zip(written, table.columns, strict=True)]
            )
        self._check_header(table)
        self._check_thousands(table, content)
        self._check_decimals(table)
        return table

    def _parsed(self, content: bytes, **options: Any) -> pd.DataFrame:
        import pandas as pd

        from nettuner.models.data.preprocessing import MISSING

        assert self.separator is not None
        one_character = len(self.separator) == 1
        table: pd.DataFrame = pd.read_csv(
            io.BytesIO(content),
            sep=self.separator,
            decimal=self.decimal or ".",
            thousands=self.thousands,
            index_col=False,
            keep_default_na=False,
            na_values=None if "dtype" in options else sorted(MISSING | set(self.missing)),
            skipinitialspace=True,
            dtype_backend="numpy_nullable",
            encoding=self.encoding,
            engine="c" if one_character else "python",
            low_memory=not one_character,  # only the C engine can read a column as a whole
            **options,
        )
        return table

    def _check_header(self, table: pd.DataFrame) -> None:
        """Refuse a first line of numbers unless it is said that it holds names: it may be data."""
        from nettuner.models.data.preprocessing import listed

        names = list(table.columns)
        counted = names == [str(i) for i in range(len(names))]
        if self.header is None and not counted and _mostly_numbers(names):
            raise ValueError(
                f"the first line of {self.path} must hold column names, got "
                f"{listed(names, most=5)}; set header to false if it is data, "
                "or to true if these are names"
            )

    def _check_thousands(self, table: pd.DataFrame, content: bytes) -> None:
        """Refuse 31.12.2020 as the number 31122020: pandas drops the mark wherever it stands."""
        if self.thousands is None:
            return
        mark, decimal = re.escape(self.thousands), re.escape(self.decimal or ".")
        grouped = rf"\s*[-+]?\d{{1,3}}({mark}\d{{3}})+({decimal}\d*)?([eE][-+]?\d+)?\s*"
        written = self._parsed(content, header=0 if self.has_header else None, dtype=str)
        for place, kind in enumerate(table.dtypes):
            column = written.iloc[:, place]
            if kind.kind not in "iuf":
                continue
            marked = column[column.str.contains(self.thousands, regex=False)]
            wrong = marked[~marked.str.fullmatch(grouped)]
            if len(wrong):
                raise ValueError(
                    f"numbers must have {self.thousands!r} between groups of three digits, got "
                    f"{wrong.iloc[0]!r} in {table.columns[place]!r} in row {wrong.index[0] + 1}; "
                    "correct it, or drop thousands (dates are written as 2020-12-31)"
                )

    def _check_decimals(self, table: pd.DataFrame) -> None:
        """Refuse 1.234 where decimals follow a comma: it would be taken for a little over one."""
        from nettuner.models.data.fit import kind_of

        if self.decimal == ".":
            return
        for name in table.select_dtypes(exclude="number").columns:
            column = table[name]
            with_point = column[column.astype(str).str.contains(".", regex=False)]
            if len(with_point) and kind_of(column) == "number":
                raise ValueError(
                    f"numbers must have no point where decimals follow a comma, got "
                    f"{with_point.iloc[0]!r} in {name!r}; drop the separators of thousands, or "
                    'set thousands: "."'
                )
