"""Where data comes from, as a study describes it."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

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

from nettuner.models.did_you_mean import did_you_mean
from nettuner.models.space import Number

Share = Annotated[Number, Field(gt=0, lt=1)]
Count = Annotated[StrictInt, Field(ge=1)]
TableTask = Literal["classification", "regression"]
TaskKind = Literal["classification", "regression", "translation"]


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
    task: TableTask | None = Field(
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
    task: TableTask | None = Field(
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


class Parallel(Texts):
    """Two text files, one sentence per line, each line of one the translation of the other's."""

    source: Literal["parallel"] = "parallel"
    source_text: StrictStr = Field(
        description="The text to translate, relative to the study's folder; may be gzipped."
    )
    target_text: StrictStr = Field(description="Its translation, line by line.")
    validation_source_text: StrictStr | None = Field(
        None, description="Published validation text, used instead of a share of `source_text`."
    )
    validation_target_text: StrictStr | None = Field(
        None, description="The translation of `validation_source_text`."
    )
    test_source_text: StrictStr | None = Field(
        None, description="Published test text, used instead of a share of `source_text`."
    )
    test_target_text: StrictStr | None = Field(
        None, description="The translation of `test_source_text`."
    )
    lowercase: StrictBool = Field(False, description="Whether all text is put in lower case.")
    limit: Count | None = Field(
        None, description="Only the first lines of `source_text`, this many."
    )

    @property
    def test_share(self) -> float:
        """Share of the pairs set aside for the test; 0 where test texts are given."""
        return self.test if self.test_source_text is None else 0.0

    @property
    def files(self) -> tuple[str, ...]:
        """Paths of all files given."""
        given = (
            self.source_text,
            self.target_text,
            self.validation_source_text,
            self.validation_target_text,
            self.test_source_text,
            self.test_target_text,
        )
        return tuple(path for path in given if path is not None)

    @model_validator(mode="after")
    def _published_files_come_in_pairs(self) -> Parallel:
        for split in ("validation", "test"):
            names = f"{split}_source_text", f"{split}_target_text"
            source, target = (getattr(self, name) for name in names)
            if (source is None) != (target is None):
                raise ValueError(
                    f"{names[0]} and {names[1]} go together, got {source!r} and {target!r}; "
                    "give both or neither"
                )
        return self


class Numbers(Texts):
    """Numbers, dates and times of day in English words and in German: made here, no download.

    A word vocabulary gets German numbers in parts ("sieben und achtzig"), a subword vocabulary
    as one word ("siebenundachtzig").
    """

    source: Literal["numbers"] = "numbers"
    rows: Annotated[StrictInt, Field(ge=10, le=200_000)] = Field(
        5000, description="Pairs of sentences, all different."
    )
    highest: Annotated[StrictInt, Field(ge=9999, lt=10**9)] = Field(
        999_999, description="The largest number that may occur."
    )


NAMES = (*get_args(Builtin.model_fields["name"].annotation), "numbers")


def _named(given: object) -> object:
    """A data set by its name alone."""
    if not isinstance(given, str):
        return given
    if given not in NAMES:
        hint = did_you_mean(given, NAMES).strip() or "choose one of them"
        raise ValueError(f"must be one of {', '.join(NAMES)}, got {given!r:.60}; {hint}")
    return {"source": "numbers"} if given == "numbers" else {"source": "builtin", "name": given}


AnySource = Annotated[
    Annotated[Builtin | Csv | Parquet | Idx | Parallel | Numbers, Field(discriminator="source")],
    BeforeValidator(
        _named,
        json_schema_input_type=Builtin
        | Csv
        | Parquet
        | Idx
        | Parallel
        | Numbers
        | Literal["digits", "breast_cancer", "wine", "diabetes", "iris", "numbers"],
    ),
]
