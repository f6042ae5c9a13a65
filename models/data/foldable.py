"""Whether data can be divided into folds, found before anything is trained."""

from __future__ import annotations

import numpy as np

from nettuner.models.data.dataset import Dataset, Split
from nettuner.models.data.fold import Fold
from nettuner.models.data.load import load
from nettuner.models.data.source import Source
from nettuner.models.inputs import parts

WAY_OUT = "drop folds, or give repeats instead"


def check_foldable(source: Source, count: int) -> None:
    """Divide the data into folds, and look at the first two.

    Args:
        source: Source; it can be loaded.
        count: Folds wanted.

    Raises:
        ValueError: There are fewer rows than folds, or the rows cannot be divided otherwise.
    """
    if source.why_no_folds is not None:
        raise ValueError(
            f"rows must be free to be trained on or validated on, got {count} folds, but "
            f"{source.why_no_folds}; {WAY_OUT}"
        )
    first, second = (load(source.at_fold(Fold(number, count))) for number in range(2))
    if not first.held:
        raise ValueError(
            f"folds need rows that are held in memory, got {source.source} data that are read when "
            f"they are needed; {WAY_OUT}"
        )
    if _same(first, second):
        raise ValueError(
            f"folds need rows that are divided here, got {source.source} data that come divided; "
            f"{WAY_OUT}"
        )


def _same(first: Dataset, second: Dataset) -> bool:
    """Whether both are validated on the same rows."""
    one, other = first.validation, second.validation
    assert isinstance(one, Split)
    assert isinstance(other, Split)
    return all(
        np.array_equal(np.asarray(a), np.asarray(b))
        for a, b in zip(
            (*parts(one.inputs), *parts(one.targets)),
            (*parts(other.inputs), *parts(other.targets)),
            strict=True,
        )
    )
