"""The data sets that ship with scikit-learn."""

from __future__ import annotations

import numpy as np

from nettuner.models.data.dataset import Dataset
from nettuner.models.data.images import image_dataset
from nettuner.models.data.source import Builtin
from nettuner.models.data.tables import table_dataset

DARKEST_DIGIT = 16.0


def load_builtin(source: Builtin) -> Dataset:
    """Digits as images of shape (1, 8, 8); the others as tables with their column names."""
    from sklearn import datasets  # takes most of a second, and files do not need it

    if source.name == "digits":
        digits = datasets.load_digits()
        given = digits.images.astype(np.float32), digits.target.astype(np.int64)
        return image_dataset(given, source, DARKEST_DIGIT)
    bunch = getattr(datasets, f"load_{source.name}")(as_frame=True)
    # scikit-learn scales diabetes as it loads, and machines differ in the last bits.
    table = bunch.frame.round(10)
    if "target_names" in bunch:
        table = table.assign(target=bunch.target_names[bunch.target].astype(object))
    return table_dataset(table, "target", source)
