"""The classes of data of one's own: told, or counted in the training data."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nettuner.models.data.answer import Answer
from nettuner.models.data.peek import LOOKED_AT, Known, Peek, read_here
from nettuner.models.data.preprocessing import Label, listed
from nettuner.models.data.source import TaskKind
from nettuner.models.data.streams import LoaderStream, RowStream, Stream
from nettuner.models.data.whole import Whole

# How long the classes of a training set that is not in memory may be counted [s].
COUNT_SECONDS = 30.0


@dataclass(frozen=True)
class Classes:
    """The classes of a target.

    Args:
        count: How many there are; None where there are none.
        labels: Their labels, where they have any.
        texts: Whether targets are these labels.
    """

    count: int | None = None
    labels: tuple[Label, ...] = ()
    texts: bool = False


def classes_of(train: Known, answer: Answer, seen: Peek, task: TaskKind) -> Classes:
    """The classes that targets have.

    Args:
        train: Training data.
        answer: Answer of the function, which may tell them.
        seen: First rows of the training data.
        task: Task; other than classification has none.

    Raises:
        ValueError: They are told wrongly, or can neither be known nor counted.
    """
    if task != "classification":
        return Classes()
    told = answer.options.get("classes")
    if told is None:
        told = _attribute(answer.train, "classes")
    if isinstance(train, Whole) and isinstance(train.targets, np.ndarray):  # texts
        found = tuple(sorted({str(text) for text in train.targets.tolist()}))
        names = found if told is None else tuple(map(str, told))
        return Classes(len(names), names, texts=True)
    if isinstance(told, int) and not isinstance(told, bool):
        return Classes(told)
    if isinstance(told, Sequence) and told and not isinstance(told, str):
        return Classes(len(told), tuple(map(str, told)))
    if told is not None:
        raise ValueError(
            f"classes must be their number, or a list of their names, got {told!r:.60}; correct it"
        )
    if not isinstance(seen.targets, Tensor):
        raise ValueError(
            f"classes need targets that are one tensor, got {type(seen.targets).__name__}; give "
            "task: own and a learner with a loss of its own"
        )
    if isinstance(train, Whole):
        return Classes(int(train.targets.max()) + 1)
    targets = _attribute(answer.train, "targets")
    if targets is not None and len(targets):
        return Classes(int(torch.as_tensor(np.asarray(targets)).max()) + 1)
    return Classes(_counted(train))


def _attribute(given: Any, name: str) -> Any:
    """An attribute of a Dataset, or of the one in a DataLoader."""
    return getattr(getattr(given, "dataset", given), name, None)


def _counted(train: Stream) -> int:
    """One more than the largest class of an epoch.

    Raises:
        ValueError: To read it takes too long.
    """
    largest, deadline = 0, time.monotonic() + COUNT_SECONDS
    left = _most_batches(train)
    for _, targets in read_here(train):
        largest = max(largest, int(targets.max()))
        left -= 1
        if left == 0:
            break
        if time.monotonic() > deadline:
            raise ValueError(
                f"the number of classes must be known, got training data that cannot be read in "
                f"{COUNT_SECONDS:g} s to count them; answer with classes: NUMBER"
            )
    return largest + 1


def _most_batches(part: Stream) -> int:
    if isinstance(part, RowStream):
        return len(part)
    if isinstance(part, LoaderStream):
        return part.batches_of_an_epoch()
    return math.ceil(part.rows_of_an_epoch() / LOOKED_AT)


def indices(texts: Any, labels: tuple[Label, ...], name: str) -> Tensor:
    """The class of each label.

    Raises:
        ValueError: There is another label.
    """
    index = {label: place for place, label in enumerate(labels)}
    for row, text in enumerate(texts.tolist()):
        if str(text) not in index:
            raise ValueError(
                f"targets must be classes of the training data, got {text!r} in row {row} of the "
                f"{name} data; training has: {listed(labels)}"
            )
    return torch.tensor([index[str(text)] for text in texts.tolist()])
