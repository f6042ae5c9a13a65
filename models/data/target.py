"""What is predicted: class indices and their labels, or numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nettuner.models.data.categories import disguised, texts_of
from nettuner.models.data.fit import kind_of
from nettuner.models.data.preprocessing import Label, listed, numbers
from nettuner.models.data.size import LARGEST
from nettuner.models.data.source import TaskKind

MOST_INTEGER_CLASSES = 20
# One row for each of training, validation and test.
FEWEST_ROWS = 3


@dataclass(frozen=True, eq=False)
class Target:
    """The target of every row.

    Args:
        task: Task: classification or regression.
        values: Shape [rows]: class indices (int64), or numbers in their own units (float64).
        classes: Labels in the order of their indices; empty for regression.
    """

    task: TaskKind
    values: NDArray[Any]
    classes: tuple[Label, ...] = ()

    @property
    def truth(self) -> tuple[Any, ...]:
        """The label, or the number in its own units, of every row."""
        values = self.values.tolist()
        return tuple(self.classes[i] for i in values) if self.classes else tuple(values)

    def scale(self, rows: NDArray[np.int64]) -> tuple[float, float]:
        """Mean and standard deviation over these rows; 0 and 1 for classes.

        Raises:
            ValueError: The numbers are all equal, or too large or small to be standardised.
        """
        if self.task == "classification":
            return 0.0, 1.0
        values = self.values[rows]
        if (values == values[0]).all():
            raise ValueError(
                f"a regression target must vary, got {values[0]:g} in all {len(values)} training "
                "rows; name another target column"
            )
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            mean, std = float(values.mean()), float(values.std())
            standard = (self.values - mean) / std
        if not (np.abs(standard) < LARGEST).all() or not math.isfinite(std):
            raise ValueError(
                f"a regression target must lie within {LARGEST:g} standard deviations that a float "
                f"holds, got numbers from {self.values.min():g} to {self.values.max():g}; "
                "rescale them, take their logarithm, or correct the outlier"
            )
        return mean, std


def read_target(
    column: pd.Series[Any],
    task: TaskKind | None,
    rows: NDArray[Any],
    fewest: int = FEWEST_ROWS,
) -> Target:
    """The target in a column without missing values.

    Args:
        column: One value a row.
        task: None guesses: texts, booleans and integers of few distinct values are classes.
        rows: Shape [rows]: place of each row in its file, from 1.
        fewest: Rows that every class must have.

    Raises:
        ValueError: A regression target is not a finite number, texts are numbers in another form,
            or a class has too few rows.
    """
    if task != "classification" and is_text(column):
        wrong = disguised(texts_of(column), rows)
        if wrong:
            raise ValueError(f"{wrong}, or set task to classification if these are classes")
    if (task or _guess(column)) == "classification":
        return as_classes([_label(value) for value in column.tolist()], str(column.name), fewest)
    values = numbers(column)
    if np.isnan(values).any():
        raise ValueError(
            f"a regression target must be finite, got {column[np.isnan(values)].iloc[0]!r} in "
            f"{column.name!r}; drop that row"
        )
    return Target("regression", values)


def _guess(column: pd.Series[Any]) -> TaskKind:
    types = pd.api.types
    if is_text(column) and kind_of(column) == "number" and texts_of(column).mostly_different:
        return "regression"
    if types.is_bool_dtype(column.dtype) or not types.is_numeric_dtype(column.dtype):
        return "classification"
    few = column.nunique() <= MOST_INTEGER_CLASSES
    return "classification" if types.is_integer_dtype(column.dtype) and few else "regression"


def is_text(column: pd.Series[Any]) -> bool:
    """Whether a column may hold texts, other than categories that were declared as such."""
    types = pd.api.types
    return types.is_object_dtype(column.dtype) or types.is_string_dtype(column.dtype)


def as_classes(labels: list[Label], name: str, fewest: int = FEWEST_ROWS) -> Target:
    """Class indices in the order of the sorted labels.

    Raises:
        ValueError: There is one class only, or a class has less than `fewest` rows.
    """
    found, counts = _counted(labels)
    if len(found) < 2:
        raise ValueError(
            f"classification needs at least two classes, got only {found[0]!r} in {name!r}; "
            "name another target column"
        )
    rare = [label for label in found if counts[label] < fewest]
    if rare:
        raise ValueError(
            f"every class needs at least {fewest} rows, one for each split; in {name!r} "
            f"{listed(rare, most=5)} {'have' if len(rare) > 1 else 'has'} fewer; "
            "drop those rows, or set task to regression if the target is a number"
        )
    index = {label: i for i, label in enumerate(found)}
    return Target("classification", np.array([index[label] for label in labels]), tuple(found))


def _counted(labels: list[Label]) -> tuple[list[Label], dict[Label, int]]:
    counts: dict[Label, int] = {}
    for label in labels:
        counts[label] = counts.get(label, 0) + 1
    return sorted(counts, key=lambda label: (isinstance(label, str), label)), counts


def _label(value: Any) -> Label:
    """A plain value; what is no number and no text becomes text."""
    return value if isinstance(value, bool | int | float | str) else str(value)
