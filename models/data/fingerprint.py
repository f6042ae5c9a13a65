"""Names a dataset by its content: equal content has an equal fingerprint everywhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nettuner.models.data.preprocessing import numbers, texts

if TYPE_CHECKING:
    import pandas as pd

DIGITS = 16


def of_arrays(*arrays: NDArray[Any]) -> str:
    """Fingerprint of arrays in this order: their types, shapes and values."""
    digest = hashlib.sha256()
    for array in arrays:
        if array.dtype.kind == "U":
            digest.update(json.dumps(array.tolist()).encode())
            continue
        little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        digest.update(f"{little.dtype.str}{little.shape}".encode())
        digest.update(little.data)
    return digest.hexdigest()[:DIGITS]


def of_table(table: pd.DataFrame, target: str) -> str:
    """Fingerprint of a table: column names, values, and which column is the target."""
    from pandas.api.types import is_numeric_dtype

    digest = hashlib.sha256(json.dumps([target, *table.columns]).encode())
    for name in table.columns:
        column = table[name]
        if is_numeric_dtype(column.dtype):
            digest.update(numbers(column).astype("<f8").tobytes())
        else:
            codes, found = texts(column)
            digest.update(json.dumps(found).encode())
            digest.update(codes.astype("<i8").tobytes())
    return digest.hexdigest()[:DIGITS]


def of_tables(tables: Sequence[pd.DataFrame], targets: Sequence[str]) -> str:
    """Fingerprint of tables in this order; of one alone with one target that of this table."""
    target = targets[0] if len(targets) == 1 else json.dumps(list(targets))
    marks = [of_table(table, target) for table in tables]
    if len(marks) == 1:
        return marks[0]
    return hashlib.sha256(json.dumps(marks).encode()).hexdigest()[:DIGITS]


def of_texts(*texts: Sequence[str]) -> str:
    """Fingerprint of texts in this order, each a sequence of lines."""
    content = json.dumps(texts, ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()[:DIGITS]
