"""Splits in the order of time: the oldest rows are trained on, the newest are for the test."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nettuner.models.arrays import Ints
from nettuner.models.data.split import Rows


def split_by_time(times: NDArray[np.float64], validation: float, test: float) -> Rows:
    """Divide rows by time; rows of one moment stay together.

    Args:
        times: Shape [rows]: moment of each row.
        validation, test: Shares of all rows, which are met as nearly as moments allow; a share
            of 0 takes none.

    Raises:
        ValueError: There are fewer moments than splits.
    """
    order = np.argsort(times, kind="stable")
    changes = np.flatnonzero(np.diff(times[order]) > 0) + 1  # where one moment ends
    wanted = (validation > 0) + (test > 0)
    if len(changes) < wanted:
        raise ValueError(
            f"every split needs a moment of its own, got {len(changes) + bool(len(times))} for "
            f"{wanted + 1} splits; give rows of more moments, or split by rows"
        )
    count = len(times)
    newest = (
        _nearest(changes[1:] if wanted == 2 else changes, count - test * count) if test else count
    )
    middle = newest
    if validation:
        middle = _nearest(changes[changes < newest], newest - validation * count)
    parts = np.split(order, [middle, newest])
    return Rows(*(np.sort(part) for part in parts))


def _nearest(places: Ints, wanted: float) -> int:
    """The place that is nearest to what is wanted; of two, the earlier one."""
    return int(places[np.argmin(np.abs(places - wanted))])
