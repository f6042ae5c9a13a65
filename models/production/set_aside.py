"""Splits off rows that are never searched or trained on, so that models can be compared on them.

The split is by a hash of a row's content, not by its position: the same row is set aside in every
retuning, so an earlier champion was not trained on it either. Equal rows go to the same part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from nettuner.models.data.preprocessing import plain_text

# Never change it: rows set aside before would get into training.
KEY = "nettuner-aside-1"


@dataclass(frozen=True, eq=False)
class Divided:
    """A table in two parts, each in its original order.

    Args:
        open: Rows to search and to train on.
        aside: Rows for the comparison alone.
    """

    open: pd.DataFrame
    aside: pd.DataFrame


def set_aside(table: pd.DataFrame, share: float) -> Divided:
    """Split rows by their content.

    Args:
        table: Table to split.
        share: Probability of each distinct row to be set aside, between 0 and 1.
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
    """A value as text; all missing values are equal, as their types differ between files."""
    if value is None or value is pd.NA or value != value:
        return ""
    return plain_text(value)
