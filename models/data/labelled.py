"""Rows as a served model receives them, with the answers that are true."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Labelled:
    """Raw rows and their truth, in the same order.

    Args:
        rows: A DataFrame of columns, or images [rows, height, width].
        truth: One label, number in its own units, or translation for each row.
    """

    rows: pd.DataFrame | NDArray[Any]
    truth: tuple[Any, ...]

    def __len__(self) -> int:
        return len(self.truth)

    def at(self, places: NDArray[np.int64]) -> Labelled:
        """Those at these places."""
        truth = tuple(self.truth[i] for i in places.tolist())
        if isinstance(self.rows, np.ndarray):
            return Labelled(self.rows[places], truth)
        return Labelled(self.rows.iloc[places].reset_index(drop=True), truth)
