"""A dataset as arrays: what every learner is trained on, whatever the data came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nettuner.models.data.labelled import Labelled
from nettuner.models.data.preprocessing import Label, Preprocessing
from nettuner.models.data.source import TaskKind

if TYPE_CHECKING:
    import pandas as pd


EXAMPLES = 5


@dataclass(frozen=True, eq=False)
class Split:
    """Some rows of a dataset.

    Args:
        inputs: Shape [rows, *shape], float32; for translation the tokens of the source (int64),
            each sentence ended and padded.
        targets: Shape [rows]: class indices (int64), or standardised numbers (float32); for
            translation [rows, target_length]: tokens (int64), begun, ended and padded.
    """

    inputs: NDArray[Any]
    targets: NDArray[Any]

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training, validation and test rows, and the way from raw rows to them.

    Args:
        train, validation, test: Disjoint.
        task: Task: classification, regression or translation.
        shape: Shape of one input, without the row axis.
        classes: Labels in the order of their indices; empty where there are none.
        preprocessing: Fitted on the training rows alone.
        example: Up to 5 training rows as a served model receives them: a DataFrame of the columns
            that are used (of the source sentences), or raw pixels [rows, height, width].
        raw_train, raw_test: The training and test rows as a served model receives them.
        fingerprint: 16 hex digits that depend on the raw content alone, target included.
        dropped: Rows left out because their target is missing, or a sentence is empty or too long.
    """

    train: Split
    validation: Split
    test: Split
    task: TaskKind
    shape: tuple[int, ...]
    classes: tuple[Label, ...]
    preprocessing: Preprocessing
    example: pd.DataFrame | NDArray[Any]
    raw_train: Labelled
    raw_test: Labelled
    fingerprint: str
    dropped: int = 0

    @property
    def outputs(self) -> int:
        """Numbers a network answers with for each row (token): one per class (word), or 1."""
        return len(self.classes) or self.preprocessing.outputs


def examples(count: int) -> NDArray[np.int64]:
    """Up to 5 row numbers, evenly spaced over `count` rows."""
    return np.unique(np.linspace(0, count - 1, EXAMPLES).astype(np.int64))
