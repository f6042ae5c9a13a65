"""Sentences with a label, from the columns of a table, as a dataset of tokens."""

from __future__ import annotations

from typing import Any

import pandas as pd
from numpy.typing import NDArray

from nettuner.models.arrays import Ints
from nettuner.models.data.dataset import Dataset
from nettuner.models.data.preprocessing import Text, sentences_of
from nettuner.models.data.source import TaskKind
from nettuner.models.data.tables import Tables, divided
from nettuner.models.data.text_source import Texts
from nettuner.models.data.vocabulary import fit_vocabulary


def sentence_dataset(
    tables: Tables, text: str, source: Texts, task: TaskKind | None, *, lowercase: bool = False
) -> Dataset:
    """Divide sentences, fit the vocabulary to the training ones, and number their tokens.

    An input is as long as the longest sentence of training, `longest` tokens at most, and its end.

    Args:
        tables: Rows, and how they are divided.
        text: Name of the column of sentences; an empty one is a sentence, too.
        source: Source: its shares, its kind of vocabulary, its longest sentence.
        task: Task; None guesses it from the target.
        lowercase: True to put text in lower case.

    Raises:
        ValueError: The target is missing in all rows or does not suit the task, a split would be
            empty, or no word is frequent enough to be known.
    """
    found = divided(tables, source, task)
    sentences = pd.DataFrame({text: sentences_of(found.known.table[text])})
    trained = sentences[text].iloc[found.rows.train].tolist()
    vocabulary = fit_vocabulary(
        trained,
        subword=source.vocabulary == "subword",
        size=source.vocabulary_size,
        min_count=source.min_count,
        lowercase=lowercase,
    )
    longest = max(len(vocabulary.encode(sentence)) for sentence in trained)
    rule = Text(vocabulary, min(longest, source.longest) + 1, text)
    preprocessing = found.preprocessing(rule)

    def inputs(chosen: Ints) -> NDArray[Any]:
        return preprocessing.transform(sentences.iloc[chosen])

    return found.dataset(inputs, preprocessing, sentences)
