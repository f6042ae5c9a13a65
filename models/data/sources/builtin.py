"""The data sets that ship with scikit-learn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from nettuner.models.data.source import Source

if TYPE_CHECKING:
    from nettuner.models.data.dataset import Dataset

DARKEST_DIGIT = 16.0

Name = Literal["digits", "breast_cancer", "wine", "diabetes", "iris"]


class Builtin(Source):
    """A data set that ships with scikit-learn."""

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
        from sklearn import datasets  # takes most of a second, and files do not need it

        from nettuner.models.data.images import image_dataset
        from nettuner.models.data.tables import table_dataset

        if self.name == "digits":
            digits = datasets.load_digits()
            given = digits.images.astype(np.float32), digits.target.astype(np.int64)
            return image_dataset(given, self, DARKEST_DIGIT)
        bunch = getattr(datasets, f"load_{self.name}")(as_frame=True)
        # scikit-learn scales diabetes as it loads, and machines differ in the last bits.
        table = bunch.frame.round(10)
        if "target_names" in bunch:
            table = table.assign(target=bunch.target_names[bunch.target].astype(object))
        return table_dataset(table, "target", self)

    def target_column(self) -> str | int:
        """The last column of all of them but the images."""
        return super().target_column() if self.name == "digits" else "target"
