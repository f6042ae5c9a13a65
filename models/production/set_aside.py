"""Rows that are kept from search and training for good, so that models can be compared on them.

A row's own content decides, not its place: the same row is set aside in every retuning, so the
champion of an earlier one was not trained on it either. Equal rows go to the same side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from nettuner.models.data.preprocessing import plain_text

# Changing it would bring rows that were set aside into training.
KEY = "nettuner-aside-1"


@dataclass(frozen=True, eq=False)
class Divided:
    """A table in two parts, both in their old order.

    Args:
        open: Rows to search and to train on.
        aside: Rows for the comparison alone.
    """

    open: pd.DataFrame
    aside: pd.DataFrame


def set_aside(table: pd.DataFrame, share: float) -> Divided:
    """Divide rows by their content.

    Args:
        table: Rows.
        share: The chance of each distinct row to be set aside, between 0 and 1.
    """
    names = sorted(map(str, table.columns))
    texts = pd.DataFrame({name: table[name].map(_text).astype(object) for name in names})
    codes = pd.util.hash_pandas_object(texts, index=False, hash_key=KEY).to_numpy(np.uint64)
    aside = codes < np.uint64(share * 2.0**64)
    return Divided(
        table[~aside].reset_index(drop=True),
        table[aside].reset_index(drop=True),
    )


def _text(value: object) -> str:
    """A value as text; all that is missing is alike, for files differ in their types."""
    if value is None or value is pd.NA or value != value:
        return ""
    return plain_text(value)
