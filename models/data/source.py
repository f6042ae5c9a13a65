"""Where data comes from, as a study describes it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, StrictStr

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


class Parquet(Source):
    """A Parquet file with one row per example."""

    source: Literal["parquet"] = "parquet"
    path: StrictStr = Field(description="The file, relative to the study's folder.")
    target: StrictStr | StrictInt = Field(-1, description="Column to predict: name or position.")
    task: TaskKind | None = Field(
        None, description="Classification or regression; guessed from the target if absent."
    )


class Idx(Source):
    """Images and labels in the IDX format of MNIST and Fashion-MNIST, gzipped or not."""

    source: Literal["idx"] = "idx"
    images: StrictStr = Field(description="The images file, relative to the study's folder.")
    labels: StrictStr = Field(description="The labels file.")
    test_images: StrictStr | None = Field(
        None, description="Published test images, used instead of a share of `images`."
    )
    test_labels: StrictStr | None = Field(None, description="The labels of `test_images`.")


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
