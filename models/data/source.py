"""What every source of data has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    StrictInt,
    model_validator,
)

from nettuner.models.space import Number

if TYPE_CHECKING:
    from nettuner.models.arrays import Ints
    from nettuner.models.data.dataset import Dataset
    from nettuner.models.data.fold import Fold
    from nettuner.models.data.split import Rows
    from nettuner.models.data.tables import Tables

Share = Annotated[Number, Field(gt=0, lt=1)]
Count = Annotated[StrictInt, Field(ge=1)]
OwnTask = Literal["classification", "regression", "labels", "own"]
"""What can be learned from data of one's own."""
TaskKind = Literal[OwnTask, "translation"]


class Source(BaseModel):
    """What every source has: how it is divided into training, validation and test rows."""

    if TYPE_CHECKING:  # each source declares its own name as its first key
        source: str

    paths: ClassVar[tuple[str, ...]] = ()
    """Names of the fields that hold paths of files, relative to the study's folder."""
    folders: ClassVar[tuple[str, ...]] = ()
    """Names of the fields that hold paths of folders."""
    short_names: ClassVar[tuple[str, ...]] = ()
    """Names that stand for the whole mapping in a study: `data: digits`."""
    apart: ClassVar[Mapping[str, str]] = {}
    """By the name of a split, the field that names a file of its own: then no share is taken."""
    reference: ClassVar[str | None] = None
    """Name of the field that refers to code, `file.py:name` or `package.module:name`; in a study
    the reference may stand in place of the source's name, or for the whole mapping."""
    written: ClassVar[tuple[Any, ...]] = ()
    """What a study may write for it beside its fields, as types for the schema."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    validation: Share = Field(0.2, description="Share of all rows that the search is judged on.")
    test: Share = Field(0.2, description="Share of all rows that only the winner ever sees.")
    split_seed: Annotated[StrictInt, Field(ge=0)] = Field(
        0, description="Which rows go where; the study's own seed does not change it."
    )

    @property
    def validation_share(self) -> float:
        """Share of the rows that the search is judged on; 0 where these are published apart."""
        return self._share("validation")

    @property
    def test_share(self) -> float:
        """Share of the rows set aside for the test; 0 where test rows are published apart."""
        return self._share("test")

    def _share(self, split: str) -> float:
        field = self.apart.get(split)
        given = field is not None and getattr(self, field) is not None
        return 0.0 if given else float(getattr(self, split))

    _fold: Fold | None = PrivateAttr(None)

    @property
    def fold(self) -> Fold | None:
        """How training and validation rows are divided anew; None if they are not."""
        return self._fold

    def at_fold(self, fold: Fold | None) -> Self:
        """The same data, of which training and validation rows are divided as a fold says."""
        found = self.model_copy()
        found._fold = fold
        return found

    def folded(self, rows: Rows, classes: Ints | None = None, groups: Ints | None = None) -> Rows:
        """The rows of each split, divided anew where this is a fold.

        Args:
            rows: Rows of each split without folds.
            classes, groups: Class and group of all rows; None where there are none.

        Raises:
            ValueError: There are no validation rows among them, or fewer rows or groups than folds.
        """
        if self._fold is None:
            return rows
        if not len(rows.validation):
            raise ValueError(
                "folds are of training and validation rows, got validation rows of their own; "
                "drop these or the folds"
            )
        return self._fold.of(rows, self.split_seed, classes, groups)

    @property
    def why_no_folds(self) -> str | None:
        """Why training and validation rows cannot be divided otherwise; None if they can."""
        return None if self.validation_share else "the validation rows have files of their own"

    @property
    def files(self) -> tuple[str, ...]:
        """Paths of the files it reads."""
        given = (getattr(self, name) for name in self.paths)
        return tuple(path for path in given if path is not None)

    @classmethod
    def named(cls, name: str) -> dict[str, Any]:
        """The mapping that a short name stands for."""
        return {"source": cls.model_fields["source"].default}

    @classmethod
    def at_place(cls, place: Path) -> dict[str, Any] | None:
        """The fields that name what lies at a path; None where that is of no such kind."""
        return None

    def below(self, folder: Path) -> Self:
        """The same, of a study in this folder; paths of files are absolute already."""
        return self

    @classmethod
    def referred(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """The fields, from a mapping whose `source` is a reference."""
        raise NotImplementedError

    def load(self) -> Dataset:
        """Read all of it.

        Raises:
            FileNotFoundError: A file is not there.
            ValueError: The data break a rule, which the message names.
        """
        raise NotImplementedError

    def tables(self) -> Tables | None:
        """The rows as they are read, where they are a table; else None.

        Raises:
            FileNotFoundError: A file is not there.
            ValueError: The data break a rule, which the message names.
        """
        return None

    def recognised(self) -> dict[str, str]:
        """What is not said here and the files tell, by the keys that would say it."""
        return {}

    def target_column(self) -> str | int:
        """The column to predict, where the data are a table: its name, or else its position.

        Raises:
            ValueError: They are no table.
        """
        raise ValueError(
            "production data are read as tables with the target as a column, got a study on "
            f"{getattr(self, 'name', self.source)!r}; give the study csv or parquet data"
        )

    @model_validator(mode="after")
    def _leaves_rows_to_train_on(self) -> Source:
        if self.validation_share + self.test_share >= 1:
            raise ValueError(
                f"validation and test must leave rows to train on, got validation="
                f"{self.validation_share:g} and test={self.test_share:g}; "
                "let them sum to less than 1"
            )
        return self
