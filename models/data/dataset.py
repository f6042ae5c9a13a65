"""A dataset as arrays: what every learner is trained on, whatever the data came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Union

import numpy as np
from numpy.typing import NDArray

from nettuner.models.data.labelled import Labelled
from nettuner.models.data.preprocessing import Label, Preprocessing
from nettuner.models.data.source import TaskKind
from nettuner.models.inputs import parts

if TYPE_CHECKING:
    from nettuner.models.data.streams import Stream


EXAMPLES = 5


@dataclass(frozen=True, eq=False)
class Split:
    """Some rows of a dataset.

    Args:
        inputs: Shape [rows, *shape], float32; for translation the tokens of the source (int64),
            each sentence ended and padded; for data of one's own as given, a tuple or a mapping of
            arrays where there are several.
        targets: Shape [rows]: class indices (int64), or standardised numbers (float32); for
            translation [rows, target_length]: tokens (int64), begun, ended and padded; for data of
            one's own [rows, *target_shape].
    """

    inputs: Any
    targets: Any

    def __len__(self) -> int:
        return len(parts(self.targets)[0])


Part = Union[Split, "Stream"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training, validation and test rows, and the way from raw rows to them.

    Args:
        train, validation: Disjoint; in memory, or read when they are needed.
        test: Disjoint from both; None where data of one's own have none.
        task: Task: classification, regression, labels, translation or own.
        shape: Shape of one input, without the row axis; empty where there are several inputs.
        classes: Labels in the order of their indices; empty where there are none.
        preprocessing: Fitted on the training rows alone; None where networks take the data as they
            are given.
        example: Up to 5 training rows as a served model receives them: a DataFrame of the columns
            that are used (of the source sentences), or raw pixels [rows, height, width]; without
            preprocessing inputs and targets of the first rows, as tensors.
        raw_train, raw_test: The training and test rows as a served model receives them; None
            without preprocessing.
        fingerprint: 16 hex digits that depend on the raw content alone, target included.
        dropped: Rows left out because their target is missing, or a sentence is empty or too long.
        target_shape: Shape of one target, without the row axis.
        own_outputs: Numbers a network answers with for each row, where nothing else says it.
        facts: Facts to be recorded, by name.
    """

    train: Part
    validation: Part
    test: Part | None
    task: TaskKind
    shape: tuple[int, ...]
    classes: tuple[Label, ...]
    preprocessing: Preprocessing | None
    example: Any
    raw_train: Labelled | None
    raw_test: Labelled | None
    fingerprint: str
    dropped: int = 0
    target_shape: tuple[int, ...] = ()
    own_outputs: int = 1
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def outputs(self) -> int:
        """Numbers a network answers with for each row (token): one per class (word), or 1."""
        if self.preprocessing is None:
            return self.own_outputs
        return len(self.classes) or self.preprocessing.outputs

    @property
    def held(self) -> bool:
        """Whether all that is trained and validated on is in memory."""
        return isinstance(self.train, Split) and isinstance(self.validation, Split)


def held(part: Part) -> Split:
    """A split that is in memory, as those of tables and of data trained in stacks are."""
    assert isinstance(part, Split)
    return part


def examples(count: int) -> NDArray[np.int64]:
    """Up to 5 row numbers, evenly spaced over `count` rows."""
    return np.unique(np.linspace(0, count - 1, EXAMPLES).astype(np.int64))
