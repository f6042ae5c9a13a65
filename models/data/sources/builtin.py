"""The data sets that come with nettuner: those of scikit-learn, as files beside this package.

They were published by the UCI repository (digits, wine, breast cancer, iris) and with Efron et al.,
Least Angle Regression (2004) (diabetes). scikit-learn itself takes seconds to import.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from nettuner.models.data.source import Source

if TYPE_CHECKING:
    from nettuner.models.data.dataset import Dataset
    from nettuner.models.data.tables import Tables

DARKEST_DIGIT = 16.0

Name = Literal["digits", "breast_cancer", "wine", "diabetes", "iris"]


FOLDER = Path(__file__).parents[1] / "builtin"


class Builtin(Source):
    """A data set that comes with nettuner."""

    short_names: ClassVar[tuple[str, ...]] = get_args(Name)

    source: Literal["builtin"] = "builtin"
    name: Name

    @classmethod
    def named(cls, name: str) -> dict[str, Any]:
        """The data set of this name."""
        return {"source": "builtin", "name": name}

    def load(self) -> Dataset:
        """Digits as images of shape (1, 8, 8); the others as tables with their column names."""
        import numpy as np

        from nettuner.models.data.images import image_dataset
        from nettuner.models.data.tables import table_dataset

        tables = self.tables()
        if tables is not None:
            return table_dataset(tables, self)
        with np.load(FOLDER / "digits.npz") as digits:
            given = digits["images"].astype(np.float32), digits["target"].astype(np.int64)
        return image_dataset(given, self, DARKEST_DIGIT)

    def tables(self) -> Tables | None:
        """The table; None for the images."""
        import pandas as pd

        from nettuner.models.data.tables import Tables

        if self.name == "digits":
            return None
        table = pd.read_csv(FOLDER / f"{self.name}.csv", dtype=str).astype(object)
        labels = [] if self.name == "diabetes" else ["target"]
        # Python reads every digit; pandas, for speed, not always the last one.
        numbers = dict.fromkeys(table.columns.difference(labels), float)
        return Tables(table.astype(numbers), "target")

    def target_column(self) -> str | int:
        """The last column of all of them but the images."""
        return super().target_column() if self.name == "digits" else "target"
