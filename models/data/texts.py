"""Pairs of sentences as a dataset of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nettuner.models.data import fingerprint
from nettuner.models.data.dataset import Dataset, Split, examples
from nettuner.models.data.labelled import Labelled
from nettuner.models.data.preprocessing import (
    BEGIN,
    END,
    Preprocessing,
    Sentences,
    Vocabulary,
    padded,
)
from nettuner.models.data.split import split
from nettuner.models.data.text_source import Texts
from nettuner.models.data.vocabulary import fit_vocabulary


@dataclass(frozen=True)
class Pairs:
    """Sentences and their translations, in the same order."""

    source: Sequence[str]
    target: Sequence[str]

    def __len__(self) -> int:
        return len(self.source)

    def at(self, places: NDArray[np.int64]) -> Pairs:
        """Those at these places."""
        chosen = places.tolist()
        return Pairs([self.source[i] for i in chosen], [self.target[i] for i in chosen])

    def without_gaps(self) -> Pairs:
        """Those of which neither sentence is empty."""
        whole = [bool(s and t) for s, t in zip(self.source, self.target, strict=True)]
        return self.at(np.flatnonzero(whole))


@dataclass(frozen=True)
class Tokens:
    """Pairs of sentences as ids."""

    source: list[list[int]]
    target: list[list[int]]
    pairs: Pairs
    """The sentences as they were."""

    def __len__(self) -> int:
        return len(self.source)


def text_dataset(
    given: Pairs,
    source: Texts,
    *,
    lowercase: bool = False,
    validation: Pairs | None = None,
    test: Pairs | None = None,
) -> Dataset:
    """Divide pairs of sentences, fit the vocabularies to the training text, and number tokens.

    A sentence that occurs several times goes with all its translations into one split. Inputs
    and targets are as long as the longest sentence that is left in any split.

    Args:
        given: The pairs; an empty sentence drops its pair.
        source: Source: its shares, its kind of vocabulary, its longest sentence.
        lowercase: True to put text in lower case.
        validation, test: Published pairs, used instead of a share of those given.

    Raises:
        ValueError: No pair is left in a split, or no word is frequent enough to be known.
    """
    parts = [part.without_gaps() for part in _divided(given, source, validation, test)]
    known, translated = (
        fit_vocabulary(
            sentences,
            subword=source.vocabulary == "subword",
            size=source.vocabulary_size,
            min_count=source.min_count,
            lowercase=lowercase,
        )
        for sentences in (parts[0].source, parts[0].target)
    )
    kept = [_tokens(part, known, translated, source.longest) for part in parts]
    _check_none_empty(parts, kept, source.longest)
    sentences = Sentences(
        known,
        translated,
        max(len(ids) for part in kept for ids in part.source) + 1,
        max(len(ids) for part in kept for ids in part.target) + 2,
    )
    train, judged, held_out = (_split(part, sentences) for part in kept)
    raw = [_raw(part.pairs, sentences) for part in kept]
    everything = [part for part in (given, validation, test) if part is not None]
    return Dataset(
        train,
        judged,
        held_out,
        "translation",
        sentences.shape,
        (),
        Preprocessing(sentences),
        raw[0].at(examples(len(raw[0]))).rows,
        raw[0],
        raw[2],
        fingerprint.of_texts(*(text for part in everything for text in (part.source, part.target))),
        sum(map(len, everything)) - sum(map(len, kept)),
    )


def _divided(
    given: Pairs, source: Texts, validation: Pairs | None, test: Pairs | None
) -> tuple[Pairs, Pairs, Pairs]:
    """Training, validation and test pairs."""
    if validation is not None and test is not None:
        return given, validation, test
    given = given.without_gaps()
    distinct = {sentence: i for i, sentence in enumerate(dict.fromkeys(given.source))}
    which = np.array([distinct[sentence] for sentence in given.source], dtype=np.int64)

    def shares(judged: float, held_out: float) -> tuple[Pairs, Pairs, Pairs]:
        rows = source.folded(split(len(distinct), judged, held_out, source.split_seed))
        return (
            given.at(np.flatnonzero(np.isin(which, rows.train))),
            given.at(np.flatnonzero(np.isin(which, rows.validation))),
            given.at(np.flatnonzero(np.isin(which, rows.test))),
        )

    if validation is not None:
        train, held_out, _ = shares(source.test, 0.0)
        return train, validation, held_out
    train, judged, held_out = shares(source.validation, source.test_share)
    return train, judged, held_out if test is None else test


def _tokens(pairs: Pairs, known: Vocabulary, translated: Vocabulary, longest: int) -> Tokens:
    """The ids of those pairs that are short enough."""
    source = [known.encode(sentence) for sentence in pairs.source]
    target = [translated.encode(sentence) for sentence in pairs.target]
    short = [i for i, ids in enumerate(source) if max(len(ids), len(target[i])) <= longest]
    return Tokens(
        [source[i] for i in short],
        [target[i] for i in short],
        pairs.at(np.array(short, dtype=np.int64)),
    )


def _check_none_empty(parts: list[Pairs], kept: list[Tokens], longest: int) -> None:
    for name, before, after in zip(("training", "validation", "test"), parts, kept, strict=True):
        if not len(after):
            raise ValueError(
                f"every split needs pairs of at most longest={longest} tokens, got none of "
                f"{len(before)} for {name}; raise longest or give more text"
            )


def _split(part: Tokens, sentences: Sentences) -> Split:
    begun = [[BEGIN, *ids, END] for ids in part.target]
    ended = [[*ids, END] for ids in part.source]
    return Split(padded(ended, sentences.source_length), padded(begun, sentences.target_length))


def _raw(pairs: Pairs, sentences: Sentences) -> Labelled:
    return Labelled(pd.DataFrame({sentences.column: list(pairs.source)}), tuple(pairs.target))
