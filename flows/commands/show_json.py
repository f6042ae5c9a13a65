"""What commands print with `--json`: the same facts for programs, as one JSON document."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def show_json(facts: Any) -> None:
    """A document on standard output; numbers that JSON does not know are null."""
    print(json.dumps(_plain(facts), indent=2, ensure_ascii=False))


def _plain(value: Any) -> Any:
    """Plain values alone: no NaN, no infinity, no numbers of numpy's."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def of_table(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A row of a table is an object; what is missing is null."""
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]
