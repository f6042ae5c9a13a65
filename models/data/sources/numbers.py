"""A generated parallel text: numbers, dates and times of day in English and German."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, StrictInt

from nettuner.models.data.text_source import Texts

if TYPE_CHECKING:
    from nettuner.models.data.dataset import Dataset


class Numbers(Texts):
    """Numbers, dates and times of day in English words and in German: made here, no download.

    A word vocabulary gets German numbers in parts ("sieben und achtzig"), a subword vocabulary
    as one word ("siebenundachtzig").
    """

    short_names: ClassVar[tuple[str, ...]] = ("numbers",)

    source: Literal["numbers"] = "numbers"
    rows: Annotated[StrictInt, Field(ge=10, le=200_000)] = Field(
        5000, description="Pairs of sentences, all different."
    )
    highest: Annotated[StrictInt, Field(ge=9999, lt=10**9)] = Field(
        999_999, description="The largest number that may occur."
    )

    def load(self) -> Dataset:
        """The dataset of generated sentences.

        Raises:
            ValueError: A split would be empty, or no word is frequent enough.
        """
        from nettuner.models.data.numbers_corpus import sentences
        from nettuner.models.data.texts import text_dataset

        compounds = self.vocabulary == "subword"
        return text_dataset(sentences(self.rows, self.highest, compounds=compounds), self)
