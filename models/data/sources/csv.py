"""CSV files."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, StrictBool, StrictInt, StrictStr

from nettuner.models.data.contents import read
from nettuner.models.data.source import TableSource, TableTask

if TYPE_CHECKING:
    import pandas as pd


class Csv(TableSource):
    """A CSV file with one row per example."""

    source: Literal["csv"] = "csv"
    path: StrictStr = Field(description="The file, relative to the study's folder; may be gzipped.")
    target: StrictStr | StrictInt = Field(
        -1, description="Column to predict: its name, or its position (negative: from the end)."
    )
    header: StrictBool | None = Field(
        None,
        description="Whether the first line holds column names (default: it does, and they are "
        "not mostly numbers).",
    )
    separator: StrictStr = Field(",", description="What stands between two columns.")
    decimal: Literal[".", ","] = Field(".", description="What stands before the decimals.")
    task: TableTask | None = Field(
        None, description="Classification or regression; guessed from the target if absent."
    )
    drop: tuple[StrictStr, ...] = Field(
        (), description="Columns to leave out, by name: identifiers, free texts, row numbers."
    )

    @property
    def has_header(self) -> bool:
        """Whether the first line is taken for column names."""
        return self.header is not False

    def read(self) -> pd.DataFrame:
        """All of the file, gzipped or not, as a table.

        Columns of a file without a header are named "0", "1", ...; those without a name in a
        header "Unnamed: 0", "Unnamed: 1", ...

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is no table.
        """
        import pandas as pd

        from nettuner.models.data.tables import unreadable

        content = read(self.path)
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
        self._check_decimals(table)
        return table

    def _parsed(self, content: bytes, **options: Any) -> pd.DataFrame:
        import pandas as pd

        from nettuner.models.data.preprocessing import MISSING

        one_character = len(self.separator) == 1
        table: pd.DataFrame = pd.read_csv(
            io.BytesIO(content),
            sep=self.separator,
            decimal=self.decimal,
            index_col=False,
            keep_default_na=False,
            na_values=sorted(MISSING) if "dtype" not in options else None,
            skipinitialspace=True,
            dtype_backend="numpy_nullable",
            encoding="utf-8-sig",
            engine="c" if one_character else "python",
            low_memory=not one_character,  # only the C engine can read a column as a whole
            **options,
        )
        return table

    def _check_header(self, table: pd.DataFrame) -> None:
        """Refuse a first line of numbers unless it is said that it holds names: it may be data."""
        from nettuner.models.data.categories import is_number
        from nettuner.models.data.preprocessing import listed

        names = list(table.columns)
        numeric = [name for name in names if is_number(name)]
        counted = names == [str(i) for i in range(len(names))]
        if self.header is None and not counted and 2 * len(numeric) > len(names):
            raise ValueError(
                f"the first line of {self.path} must hold column names, got "
                f"{listed(names, most=5)}; set header to false if it is data, "
                "or to true if these are names"
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
                    f"{with_point.iloc[0]!r} in {name!r}; drop the separators of thousands"
                )
