"""Where data comes from, as a study describes it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    model_validator,
)

from models.space import Number

Share = Annotated[Number, Field(gt=0, lt=1)]
TaskKind = Literal["classification", "regression"]


class Source(BaseModel):
    """What every source has: how it is divided into training, validation and test rows."""

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
        return ()

    @model_validator(mode="after")
    def _leaves_rows_to_train_on(self) -> Source:
        if self.validation + self.test_share >= 1:
            raise ValueError(
                f"validation and test must leave rows to train on, got validation="
                f"{self.validation:g} and test={self.test_share:g}; let them sum to less than 1"
            )
        return self


class Builtin(Source):
    """A data set that ships with scikit-learn."""

    source: Literal["builtin"] = "builtin"
    name: Literal["digits", "breast_cancer", "wine", "diabetes", "iris"]


class Csv(Source):
    """A CSV file with one row per example."""

    source: Literal["csv"] = "csv"
    path: StrictStr = Field(description="The file, relative to the study's folder; may be gzipped.")
    target: StrictStr | StrictInt = Field(
        -1, description="Column to predict: its name, or its position (negative: from the end)."
    )
    header: StrictBool = Field(True, description="Whether the first line holds column names.")
    separator: StrictStr = Field(",", description="What stands between two columns.")
    task: TaskKind | None = Field(
        None, description="Classification or regression; guessed from the target if absent."
    )

    @property
    def files(self) -> tuple[str, ...]:
        """Path of the file."""
        return (self.path,)


class Parquet(Source):
    """A Parquet file with one row per example."""

    source: Literal["parquet"] = "parquet"
    path: StrictStr = Field(description="The file, relative to the study's folder.")
    target: StrictStr | StrictInt = Field(-1, description="Column to predict: name or position.")
    task: TaskKind | None = Field(
        None, description="Classification or regression; guessed from the target if absent."
    )

    @property
    def files(self) -> tuple[str, ...]:
        """Path of the file."""
        return (self.path,)


class Idx(Source):
    """Images and labels in the IDX format of MNIST and Fashion-MNIST, gzipped or not."""

    source: Literal["idx"] = "idx"
    images: StrictStr = Field(description="The images file, relative to the study's folder.")
    labels: StrictStr = Field(description="The labels file.")
    test_images: StrictStr | None = Field(
        None, description="Published test images, used instead of a share of `images`."
    )
    test_labels: StrictStr | None = Field(None, description="The labels of `test_images`.")

    @property
    def test_share(self) -> float:
        """Share of `images` set aside for the test; 0 where test images are given."""
        return self.test if self.test_images is None else 0.0

    @property
    def files(self) -> tuple[str, ...]:
        """Paths of all files given."""
        given = (self.images, self.labels, self.test_images, self.test_labels)
        return tuple(path for path in given if path is not None)

    @model_validator(mode="after")
    def _test_files_come_in_pairs(self) -> Idx:
        if (self.test_images is None) != (self.test_labels is None):
            raise ValueError(
                f"test_images and test_labels go together, got test_images={self.test_images!r} "
                f"and test_labels={self.test_labels!r}; give both or neither"
            )
        return self


def _named(given: object) -> object:
    return {"source": "builtin", "name": given} if isinstance(given, str) else given


AnySource = Annotated[
    Annotated[Builtin | Csv | Parquet | Idx, Field(discriminator="source")],
    BeforeValidator(
        _named,
        json_schema_input_type=Builtin
        | Csv
        | Parquet
        | Idx
        | Literal["digits", "breast_cancer", "wine", "diabetes", "iris"],
    ),
]
