"""Tables on the command line, and in files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    import pandas as pd


def plain_console(width: int | None = None) -> Console:
    """A console that shows text as it is: what people wrote may have brackets and colons."""
    return Console(width=width, markup=False, emoji=False)


def bare_table() -> Table:
    """A table with a line below its head, and no others."""
    return Table(box=box.SIMPLE_HEAD, pad_edge=False)


def show_table(table: pd.DataFrame) -> None:
    """A table as text, as wide as it needs to be."""
    console = plain_console()
    shown = bare_table()
    for column in table.columns:
        shown.add_column(str(column), justify="right" if table[column].dtype != object else "left")
    for row in table.itertuples(index=False):
        shown.add_row(*[short(value) for value in row])
    if not console.is_terminal:
        console = plain_console(width=10_000)
    console.print(shown)


def short(value: Any) -> str:
    """A value as it stands in a table; empty where there is none."""
    if value is None or value != value:  # NaN differs from itself
        return ""
    if isinstance(value, float):
        return f"{int(value)}" if value.is_integer() and abs(value) < 1e6 else f"{value:.4g}"
    return str(value)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as the file's ending says.

    Raises:
        ValueError: The ending is none of those known.
    """
    match path.suffix:
        case ".csv":
            table.to_csv(path, index=False)
        case ".parquet":
            table.astype({c: str for c in table if table[c].dtype == object}).to_parquet(path)
        case ".json":
            table.to_json(path, orient="records", indent=2, double_precision=15)
        case _:
            raise ValueError(
                f"--output needs a file ending in .csv, .parquet or .json, got {path.name!r}"
            )
