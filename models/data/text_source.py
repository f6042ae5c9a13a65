"""What every source of texts has: how sentences become tokens."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictInt

from nettuner.models.data.source import Count, Source


class Texts(Source):
    """Sentences, in one language or two."""

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
