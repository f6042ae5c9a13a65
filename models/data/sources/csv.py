"""CSV files."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Literal

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
    header: StrictBool = Field(True, description="Whether the first line holds column names.")
    separator: StrictStr = Field(",", description="What stands between two columns.")
    task: TableTask | None = Field(
        None, description="Classification or regression; guessed from the target if absent."
    )

    def read(self) -> pd.DataFrame:
        """The file, gzipped or not, as a table.

        Columns of a file without a header are named "0", "1", ...

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is no table.
        """
        import pandas as pd

        from nettuner.models.data.preprocessing import MISSING
        from nettuner.models.data.tables import unreadable

        content = read(self.path)
        one_character = len(self.separator) == 1
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", pd.errors.ParserWarning)  # fields without a column
                table = pd.read_csv(
                    io.BytesIO(content),
                    sep=self.separator,
                    header=0 if self.header else None,
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
            raise unreadable(self.path, "CSV", error) from None
        table = table.rename(columns=str)
        self._check_header(table)
        return table

    def _check_header(self, table: pd.DataFrame) -> None:
        """Refuse a first line of numbers: it is data, and taken for names it would be lost."""
        from nettuner.models.data.preprocessing import listed

        names = list(table.columns)
        numeric = [name for name in names if _is_number(name)]
        counted = names == [str(i) for i in range(len(names))]
        if self.header and not counted and 2 * len(numeric) > len(names):
            raise ValueError(
                f"the first line of {self.path} must hold column names, got "
                f"{listed(names, most=5)}; set header to false if it is data"
            )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
