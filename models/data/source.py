"""What every source of data has, and what those of tables and of texts have beside that."""

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
    StrictStr,
    model_validator,
)

from nettuner.models.space import Number

if TYPE_CHECKING:
    import pandas as pd

    from nettuner.models.arrays import Ints
    from nettuner.models.data.dataset import Dataset
    from nettuner.models.data.fold import Fold
    from nettuner.models.data.split import Rows
    from nettuner.models.data.tables import Tables

Share = Annotated[Number, Field(gt=0, lt=1)]
Count = Annotated[StrictInt, Field(ge=1)]
Targets = Annotated[tuple[StrictStr | StrictInt, ...], Field(min_length=2)]
TableTask = Literal["classification", "regression"]
TaskKind = Literal["classification", "regression", "labels", "translation", "own"]


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
        return self.validation

    @property
    def test_share(self) -> float:
        """Share of the rows set aside for the test; 0 where test rows are published apart."""
        return self.test

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


class TableSource(Source):
    """What every file with one row per example has."""

    paths: ClassVar[tuple[str, ...]] = ("path", "validation_path", "test_path")

    if TYPE_CHECKING:  # each kind of file declares them in the order of its own keys
        path: str
        target: str | int | tuple[str | int, ...]
        task: TableTask | None
        drop: tuple[str, ...]

    validation_path: StrictStr | None = Field(
        None, description="A file of validation rows, used instead of a share of `path`."
    )
    test_path: StrictStr | None = Field(
        None, description="A file of test rows, used instead of a share of `path`."
    )
    split_by: StrictStr | None = Field(
        None,
        description="A column whose equal values go to one split, such as a customer; no input.",
    )
    split_by_time: StrictStr | None = Field(
        None,
        description="A column of dates or numbers: the oldest rows are trained on, the newest are "
        "for the test.",
    )

    missing: tuple[StrictStr, ...] = Field(
        (), description="More texts that stand for a missing value, beside NA, ? and the like."
    )

    @property
    def validation_share(self) -> float:
        """Share of the rows of `path` that the search is judged on."""
        return self.validation if self.validation_path is None else 0.0

    @property
    def test_share(self) -> float:
        """Share of the rows of `path` set aside for the test."""
        return self.test if self.test_path is None else 0.0

    @property
    def why_no_folds(self) -> str | None:
        """Why training and validation rows cannot be divided otherwise; None if they can."""
        if self.split_by_time is not None:
            return "split_by_time trains on the oldest rows"
        return super().why_no_folds

    @property
    def unread(self) -> tuple[str, ...]:
        """The columns that nothing needs: those to leave out that do not divide the rows either."""
        return tuple(n for n in self.drop if n not in (self.split_by, self.split_by_time))

    @model_validator(mode="after")
    def _targets_differ(self) -> TableSource:
        given = self.target if isinstance(self.target, tuple) else ()
        for place, target in enumerate(given):
            if target in given[:place]:
                raise ValueError(
                    f"target: must name different columns, got {target!r} twice; drop one"
                )
        return self

    @model_validator(mode="after")
    def _rows_are_divided_in_one_way(self) -> TableSource:
        if self.split_by is not None and self.split_by_time is not None:
            raise ValueError(
                f"split_by: give split_by or split_by_time, not both, got {self.split_by!r} and "
                f"{self.split_by_time!r}; drop one"
            )
        for key in ("split_by", "split_by_time"):
            given = getattr(self, key)
            if given is not None and self.validation_path and self.test_path:
                raise ValueError(
                    f"{key}: goes with rows to be divided, got {given!r}, and files for validation "
                    f"and test; drop {key}, or one of the files"
                )
        files = [self.path, self.validation_path, self.test_path]
        for place, key in ((1, "validation_path"), (2, "test_path")):
            if files[place] is not None and files[place] in files[:place]:
                raise ValueError(
                    f"{key}: must be a file of other rows, got {files[place]!r} twice; "
                    "give each split its own file"
                )
        return self

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
        from nettuner.models.data.tables import table_dataset

        return table_dataset(self.tables(), self, self.task)

    def tables(self) -> Tables:
        """The rows of the files, without columns that nothing needs.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: One cannot be read as a table, or has no such target.
        """
        from nettuner.models.data.columns import check_no_twin, chosen, without
        from nettuner.models.data.division import Division, divides
        from nettuner.models.data.tables import Tables, find_target, two_columns

        read = self.read()
        table = chosen(read, self.unread)
        inputs = two_columns(chosen(read, self.drop), self)
        asked = self.target if isinstance(self.target, tuple) else (self.target,)
        targets = tuple(find_target(list(inputs.columns), one) for one in asked)
        for target in targets:
            check_no_twin(inputs, target)
        group, time = (
            None if name is None else divides(list(table.columns), key, name, targets)
            for key, name in (("split_by", self.split_by), ("split_by_time", self.split_by_time))
        )
        left_out = {group} | (set(table.columns) - set(inputs.columns))
        validation, test = (
            None if path is None else without(self.at(path).read(), self.unread)
            for path in (self.validation_path, self.test_path)
        )
        return Tables(
            table,
            targets[0],
            Division(group, time, tuple(name for name in table.columns if name in left_out)),
            validation,
            test,
            (self.validation_path or "", self.test_path or ""),
            targets[1:],
        )

    def at(self, path: str) -> Self:
        """The same description of another file."""
        return self.model_copy(update={"path": path})

    def target_column(self) -> str | int:
        """The column to predict: its name, as far as the file tells.

        By a position alone, the last column of rows without answers would be taken for the target.
        """
        from nettuner.models.data.columns import chosen
        from nettuner.models.data.tables import find_target

        if isinstance(self.target, tuple):
            raise ValueError(
                f"models are compared in production by one target, got {list(self.target)}; give "
                "the study one of them"
            )
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
