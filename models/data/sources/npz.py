"""Arrays of numpy: a table of numbers, or images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, StrictStr

from nettuner.models.data.contents import read
from nettuner.models.data.source import Source
from nettuner.models.data.table_source import TableTask

if TYPE_CHECKING:
    from nettuner.models.data.dataset import Dataset
    from nettuner.models.data.npz_file import Pair
    from nettuner.models.data.tables import Tables


class Npz(Source):
    """An .npz file with inputs [rows, columns], or images, and one target for each row."""

    paths: ClassVar[tuple[str, ...]] = ("path",)

    source: Literal["npz"] = "npz"
    path: StrictStr = Field(description="The file, relative to the study's folder.")
    inputs: StrictStr = Field(
        "x", description="The array of inputs; x_train, x_val and x_test are found by x."
    )
    targets: StrictStr = Field("y", description="The array of targets, likewise.")
    task: TableTask | None = Field(
        None, description="Classification or regression; guessed from the target if absent."
    )

    @classmethod
    def at_place(cls, place: Path) -> dict[str, Any] | None:
        """A file by its ending."""
        return {"path": str(place)} if place.is_file() and place.suffix == ".npz" else None

    def load(self) -> Dataset:
        """Inputs of two axes as a table, of three and four as images.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It has no such arrays, or they are neither.
        """
        import numpy as np

        from nettuner.models.data.images import image_dataset
        from nettuner.models.data.npz_file import as_images
        from nettuner.models.data.tables import table_dataset

        tables = self.tables()
        if tables is not None:
            return table_dataset(tables, self, self.task)
        pairs = self._pairs()
        if self.task == "regression" or pairs["train"][1].dtype.kind == "f":
            raise ValueError(
                f"images must have labels, got numbers to predict in {self.path}; read them with a "
                "function of your own"
            )
        images = {split: (as_images(x, self.path), y) for split, (x, y) in pairs.items()}
        return image_dataset(
            images["train"],
            self,
            255.0 if images["train"][0].dtype == np.uint8 else None,
            validation=images.get("validation"),
            test=images.get("test"),
        )

    def tables(self) -> Tables | None:
        """The table, its columns called x0, x1 and so on; None for images."""
        import pandas as pd

        from nettuner.models.data.tables import Tables

        pairs = self._pairs()
        if pairs["train"][0].ndim != 2:
            return None
        tables = {
            split: pd.DataFrame(x, columns=[f"{self.inputs}{i}" for i in range(x.shape[1])]).assign(
                **{self.targets: y}
            )
            for split, (x, y) in pairs.items()
        }
        return Tables(
            tables["train"],
            self.targets,
            validation=tables.get("validation"),
            test=tables.get("test"),
        )

    def _pairs(self) -> dict[str, Pair]:
        from nettuner.models.data.npz_file import read_pairs

        return read_pairs(read(self.path), self.path, self.inputs, self.targets)
