"""Which columns of a file are a table's: those that are not left out, each with its own name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

import pandas as pd

from nettuner.models.data.preprocessing import listed
from nettuner.models.did_you_mean import did_you_mean

# What pandas and pyarrow call a column without a name: most often the numbers of the rows.
NAMELESS = re.compile(r"Unnamed: \d+(_level_\d+)?|__index_level_\d+__")


def chosen(table: pd.DataFrame, drop: Sequence[str]) -> pd.DataFrame:
    """The table without some columns.

    Args:
        table: Table as its file has it.
        drop: Names of columns to leave out.

    Raises:
        ValueError: There is no such column, two that are left share a name, or one has none.
    """
    absent = [name for name in drop if name not in table.columns]
    if absent:
        hint = did_you_mean(absent[0], table.columns)
        raise ValueError(
            f"drop must name columns, got {absent[0]!r}; {hint}"
            f"the table has: {listed(table.columns)}"
        )
    kept = without(table, drop)
    check_distinct(kept.columns)
    for name in nameless(kept):
        values = kept[name].dropna()
        if len(values):
            raise ValueError(
                f"every column must have a name, got none for column {name!r} ({listed(values, 3)}"
                f"), such as pandas writes the numbers of rows; leave it out with "
                f"drop: {in_yaml(name)}, or name it"
            )
    return kept


def without(table: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """The table without the columns of these names, if it has them."""
    return table.loc[:, ~table.columns.isin(list(names))]


def nameless(table: pd.DataFrame) -> list[str]:
    """The columns without a name of their own."""
    return [name for name in table.columns if NAMELESS.fullmatch(str(name))]


def check_distinct(names: Iterable[object]) -> None:
    """Refuse two columns of the same name, or of names that differ in spaces alone.

    Raises:
        ValueError: There are two such columns.
    """
    known: dict[str, tuple[int, str]] = {}
    for place, name in enumerate(map(str, names), start=1):
        first, other = known.setdefault(name.strip(), (place, name))
        if first < place:
            twice = f"{name!r} twice" if name == other else f"{other!r} and {name!r}"
            raise ValueError(
                f"columns must have distinct names, got {twice} (columns {first} and {place}); "
                f"rename one, or leave out what is not needed with drop: {in_yaml(name)}"
            )


def check_no_twin(table: pd.DataFrame, target: str) -> None:
    """Refuse an input that is the target again, renamed as pandas renames the second of two.

    Raises:
        ValueError: There is one.
    """
    for name in table.columns:
        first, second = sorted((name, target), key=len)
        again = re.fullmatch(re.escape(first) + r"\.\d+", second)
        if again and table[name].equals(table[target]):
            raise ValueError(
                f"the target must not be among the inputs, got the values of {target!r} again in "
                f"{name!r}, as pandas renames a column that occurs twice; leave it out with "
                f"drop: {in_yaml(name)}"
            )


def in_yaml(*names: str) -> str:
    """A list of names, as a study's file takes it."""
    return json.dumps(names, ensure_ascii=False)
