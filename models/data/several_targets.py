"""Several targets for each row: numbers, or labels of which each applies or does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nettuner.models.data.categories import disguised, texts_of
from nettuner.models.data.preprocessing import Label, Several, numbers
from nettuner.models.data.source import TaskKind
from nettuner.models.data.target import Target, is_text


@dataclass(frozen=True, eq=False)
class SeveralTargets:
    """The targets of every row.

    Args:
        task: Task: regression, or labels.
        names: Names of the targets.
        values: Shape [rows, targets]: numbers in their own units, or 0 and 1 (float64).
    """

    task: Literal["regression", "labels"]
    names: tuple[str, ...]
    values: NDArray[np.float64]

    @property
    def classes(self) -> tuple[Label, ...]:
        """None: each target stands for itself."""
        return ()

    @property
    def truth(self) -> tuple[Any, ...]:
        """The targets of every row, as a tuple."""
        return tuple(map(tuple, self.values.tolist()))

    def scale(self, rows: NDArray[np.int64]) -> Several:
        """The names, and for numbers the mean and standard deviation of each over these rows.

        Raises:
            ValueError: One never varies, or is too large or small to be standardised.
        """
        for name, column in zip(self.names, self.values[rows].T, strict=True):
            if (column == column[0]).all():
                raise ValueError(
                    f"every target must vary, got {column[0]:g} of {name!r} in all {len(column)} "
                    "training rows; leave it out"
                )
        if self.task == "labels":
            return Several(self.names)
        scales = [Target("regression", column).scale(rows) for column in self.values.T]
        means, stds = zip(*scales, strict=True)
        return Several(self.names, means, stds)

    def standardised(self, several: Several | None) -> NDArray[np.float32]:
        """Shape [rows, targets]: what networks learn."""
        if several is None or not several.means:
            return self.values.astype(np.float32)
        return ((self.values - several.means) / several.stds).astype(np.float32)


def read_targets(
    columns: pd.DataFrame, task: TaskKind | None, rows: NDArray[Any]
) -> SeveralTargets:
    """The targets in columns without missing values.

    Args:
        columns: One column for each target.
        task: Classification takes them for labels; None does so if all are 0 and 1.
        rows: Shape [rows]: place of each row in its file, from 1.

    Raises:
        ValueError: One is no number, or is to be a label and is neither 0 nor 1.
    """
    values = np.stack([_numbers(columns[name], rows) for name in columns.columns], axis=1)
    names = tuple(map(str, columns.columns))
    labels = ((values == 0) | (values == 1)).all(axis=0)
    if task == "classification" and not labels.all():
        place = int(np.flatnonzero(~labels)[0])
        wrong = values[:, place][~np.isin(values[:, place], (0, 1))][0]
        raise ValueError(
            f"several labels must be 0 and 1 (true and false), got {wrong:g} in {names[place]!r}; "
            "give one column for each label, or set task to regression"
        )
    wanted = task or ("labels" if labels.all() else "regression")
    return SeveralTargets("regression" if wanted == "regression" else "labels", names, values)


def _numbers(column: pd.Series[Any], rows: NDArray[Any]) -> NDArray[np.float64]:
    wrong = disguised(texts_of(column), rows) if is_text(column) else None
    if wrong:
        raise ValueError(wrong)
    try:
        values = numbers(column)
    except ValueError:
        values = None
    if values is None or np.isnan(values).any():
        raise ValueError(
            f"several targets must all be numbers, or all be labels of 0 and 1, got "
            f"{column.iloc[0]!r} in {column.name!r}; name it alone as the target, or leave it out"
        )
    return values
