"""Sentences with a label (or a number) from the columns of a CSV file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from pydantic import Field, StrictBool, StrictStr

from nettuner.models.data.source import Count, Source
from nettuner.models.data.sources.csv import Csv
from nettuner.models.data.text_source import Texts

if TYPE_CHECKING:
    from nettuner.models.data.dataset import Dataset
    from nettuner.models.data.tables import Tables


class Sentences(Csv, Texts):
    """A CSV file with a sentence and its label in each row; a network gets the tokens."""

    source: Literal["sentences"] = "sentences"  # type: ignore[assignment]
    text: StrictStr = Field(description="The column of sentences.")
    lowercase: StrictBool = Field(False, description="Whether all text is put in lower case.")
    longest: Count = Field(50, description="Of longer sentences the first tokens, this many.")

    def load(self) -> Dataset:
        """The dataset of the sentences.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It cannot be read as a table, or has no such columns.
        """
        from nettuner.models.data.labelled_sentences import sentence_dataset

        return sentence_dataset(self.tables(), self.text, self, self.task, lowercase=self.lowercase)

    def tables(self) -> Tables:
        """The rows of the files; of the columns the sentences, the target and what divides them."""
        from nettuner.models.data.division import divides

        found = super().tables()
        divides(list(found.own.columns), "text", self.text, found.targets)
        needed = {self.text, *found.targets, found.division.group, found.division.time}
        left_out = tuple(name for name in found.own.columns if name not in needed)
        division = replace(
            found.division, left_out=tuple(dict.fromkeys((*found.division.left_out, *left_out)))
        )
        return replace(found, division=division)

    def target_column(self) -> str | int:
        """None: sentences from production are not read."""
        return Source.target_column(self)
