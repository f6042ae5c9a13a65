"""Parquet files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, StrictInt, StrictStr

from nettuner.models.data.contents import read
from nettuner.models.data.table_source import TableSource, TableTask, Targets

if TYPE_CHECKING:
    import pandas as pd


class Parquet(TableSource):
    """A Parquet file with one row per example."""

    source: Literal["parquet"] = "parquet"
    path: StrictStr = Field(description="The file, relative to the study's folder.")
    target: StrictStr | StrictInt | Targets = Field(
        -1,
        description="Column to predict: name or position. A list of them: several numbers, or "
        "several labels of 0 and 1.",
    )
    task: TableTask | None = Field(
        None, description="Classification or regression; guessed from the target if absent."
    )
    drop: tuple[StrictStr, ...] = Field(
        (), description="Columns to leave out, by name: identifiers, free texts, row numbers."
    )

    @classmethod
    def at_place(cls, place: Path) -> dict[str, Any] | None:
        """A file by its ending."""
        is_table = place.is_file() and place.suffix.lower() in (".parquet", ".pq")
        return {"path": str(place)} if is_table else None

    def read(self) -> pd.DataFrame:
        """All of the file as a table.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is no table.
        """
        import pandas as pd
        import pyarrow.parquet as pq

        from nettuner.models.data.columns import check_distinct
        from nettuner.models.data.preprocessing import with_gaps
        from nettuner.models.data.tables import unreadable

        content = read(self.path)
        try:
            names = pq.read_schema(io.BytesIO(content)).names
        except Exception as error:  # pyarrow's errors share no base
            raise unreadable(self.path, "Parquet", error) from None
        check_distinct(names)  # pandas cannot read them, not even to leave one out
        try:
            table = pd.read_parquet(io.BytesIO(content))
        except Exception as error:  # pyarrow's errors share no base
            raise unreadable(self.path, "Parquet", error) from None
        table = table.rename(columns=str)
        return with_gaps(table, self.missing)
