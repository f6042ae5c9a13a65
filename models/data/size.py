"""How large a standardised number may be: its square is summed as a float32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nettuner.models.data.preprocessing import Category, Number

LARGEST = 1e18


def check_size(inputs: NDArray[Any], columns: Sequence[Number | Category]) -> None:
    """Refuse inputs that a network can only turn into infinities.

    Args:
        inputs: Shape [rows, features].
        columns: Columns that became these features, in their order.

    Raises:
        ValueError: A feature is not finite, or larger than `LARGEST`.
    """
    fits = (np.abs(inputs) < LARGEST).all(axis=0)
    names = [column.name for column in columns for _ in range(column.width)]
    if not fits.all():
        name = names[int(np.flatnonzero(~fits)[0])]
        raise ValueError(
            f"numbers must lie within {LARGEST:g} standard deviations of the mean of the training "
            f"rows, got one beyond in {name!r}; correct it or leave it empty"
        )
