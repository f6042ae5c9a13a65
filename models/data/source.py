"""What every source of data has, and what those of tables and of texts have beside that."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictInt,
    model_validator,
)

from nettuner.models.space import Number

if TYPE_CHECKING:
    import pandas as pd

    from nettuner.models.data.dataset import Dataset

Share = Annotated[Number, Field(gt=0, lt=1)]
Count = Annotated[StrictInt, Field(ge=1)]
TableTask = Literal["classification", "regression"]
TaskKind = Literal["classification", "regression", "translation"]


class Source(BaseModel):
    """What every source has: how it is divided into training, validation and test rows."""

    if TYPE_CHECKING:  # each source declares its own name as its first key
        source: str

    paths: ClassVar[tuple[str, ...]] = ()
    """Names of the fields that hold paths of files, relative to the study's folder."""
    short_names: ClassVar[tuple[str, ...]] = ()
    """Names that stand for the whole mapping in a study: `data: digits`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    validation: Share = Field(0.2, description="Share of all rows that the search is judged on.")
    test: Share = Field(0.2, description="Share of all rows that only the winner ever sees.")
    split_seed: Annotated[StrictInt, Field(ge=0)] = Field(
        0, description="Which rows go where; the study's own seed does not change it."
    )

    @property
    def test_share(self) -> float:
        """Share of the rows set aside for the test; 0 where test rows are published apart."""
        return self.test

    @property
    def files(self) -> tuple[str, ...]:
        """Paths of the files it reads."""
        given = (getattr(self, name) for name in self.paths)
        return tuple(path for path in given if path is not None)

    @classmethod
    def named(cls, name: str) -> dict[str, Any]:
        """The mapping that a short name stands for."""
        return {"source": cls.model_fields["source"].default}

    def load(self) -> Dataset:
        """Read all of it.

        Raises:
            FileNotFoundError: A file is not there.
            ValueError: The data break a rule, which the message names.
        """
        raise NotImplementedError

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
        if self.validation + self.test_share >= 1:
            raise ValueError(
                f"validation and test must leave rows to train on, got validation="
                f"{self.validation:g} and test={self.test_share:g}; let them sum to less than 1"
            )
        return self


class TableSource(Source):
    """What every file with one row per example has."""

    paths: ClassVar[tuple[str, ...]] = ("path",)

    if TYPE_CHECKING:  # each kind of file declares them in the order of its own keys
        path: str
        target: str | int
        task: TableTask | None
        drop: tuple[str, ...]

    def read(self) -> pd.DataFrame:
        """All of the file as a table, with the names of columns as they are written.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is no table.
        """
        raise NotImplementedError

    def load(self) -> Dataset:
        """The dataset in the table.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It cannot be read as a table, or has no such target.
        """
        from nettuner.models.data.columns import check_no_twin, chosen
        from nettuner.models.data.tables import find_target, table_dataset, two_columns

        table = two_columns(chosen(self.read(), self.drop), self)
        target = find_target(list(table.columns), self.target)
        check_no_twin(table, target)
        return table_dataset(table, target, self, self.task)

    def target_column(self) -> str | int:
        """The column to predict: its name, as far as the file tells.

        By a position alone, the last column of rows without answers would be taken for the target.
        """
        from nettuner.models.data.columns import chosen
        from nettuner.models.data.tables import find_target

        if isinstance(self.target, str) or not Path(self.path).is_file():
            return self.target
        return find_target(list(chosen(self.read(), self.drop).columns), self.target)


class Texts(Source):
    """What every parallel text has: how its sentences become tokens."""

    vocabulary: Literal["word", "subword"] = Field(
        "word",
        description="Whole words and punctuation, or pieces of words by byte pair encoding.",
    )
    vocabulary_size: Annotated[StrictInt, Field(ge=8)] = Field(
        8000, description="Most tokens of each language, the most frequent of the training text."
    )
    min_count: Count = Field(
        2, description="Words (pieces) rarer than this in the training text stay unknown."
    )
    longest: Count = Field(
        50, description="Pairs with a sentence of more tokens than this are left out."
    )
