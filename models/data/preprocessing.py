"""From rows as people have them to a network's inputs, and from its outputs to answers.

This file is also shipped beside a served model and imported there without nettuner: it may
import nothing else of this project. What it holds was fitted by `models/data/fit.py`.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Label = bool | int | float | str
Pair = tuple[str, str]

# Texts that stand for a missing value: those of pandas.read_csv, and the "?" of the UCI archive.
MISSING = frozenset(
    ("", "?", "NA", "N/A", "n/a", "NULL", "null", "None", "NaN", "-NaN", "nan", "-nan", "<NA>")
) | {"#N/A", "#N/A N/A", "#NA", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"}

# The first tokens of every vocabulary; their ids are their places.
PAD, UNKNOWN, BEGIN, END = range(4)
SPECIAL = ("<pad>", "<unk>", "<s>", "</s>")
SHOWN_UNKNOWN = "\N{DOUBLE QUESTION MARK}"
# On the side of a token where no space stands between it and its neighbour.
JOINER = "\N{HALFWIDTH BLACK SQUARE}"
TOKEN = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class Number:
    """A column of numbers, or of dates counted in days: standardised, gaps filled.

    Args:
        name: Name of the column.
        median: Fills gaps.
        mean, std: Mean and standard deviation of the training rows after filling.
        missing: True for a second feature that says where the gaps were.
        dates: True for dates.
    """

    name: str
    median: float
    mean: float
    std: float
    missing: bool = False
    dates: bool = False

    @property
    def width(self) -> int:
        """Features it turns into."""
        return 1 + self.missing

    def encode(self, column: pd.Series[Any]) -> NDArray[np.float64]:
        """Features of shape [rows, width].

        Raises:
            ValueError: A value is neither missing nor a number (a date).
        """
        values = days(column) if self.dates else numbers(column)
        gaps = np.isnan(values)
        standard = (np.where(gaps, self.median, values) - self.mean) / self.std
        return np.stack([standard, gaps], axis=1)[:, : self.width]


@dataclass(frozen=True)
class Category:
    """A column of texts or booleans: one feature for each category, 1 where it applies.

    Args:
        name: Name of the column.
        categories: Those with a feature of their own.
        other: True for one feature that stands for all further categories; without it, one
            never seen in training gets zeros only.
        missing: True if the last feature says where values are missing.
    """

    name: str
    categories: tuple[str, ...]
    other: bool = False
    missing: bool = False

    @property
    def width(self) -> int:
        """Features it turns into."""
        return len(self.categories) + self.other + self.missing

    def encode(self, column: pd.Series[Any]) -> NDArray[np.float64]:
        """Features of shape [rows, width]."""
        codes, found = texts(column)
        width = self.width
        places = {category: place for place, category in enumerate(self.categories)}
        unseen = len(self.categories) if self.other else width
        gap = width - 1 if self.missing else width
        place = [gap if text is None else places.get(text, unseen) for text in found]
        features = np.zeros((len(column), width + 1))  # the last one is for nothing
        features[np.arange(len(column)), np.array([*place, gap])[codes]] = 1
        return features[:, :width]


@dataclass(frozen=True)
class Table:
    """Rows of named columns, in any order; columns it does not name are ignored.

    Args:
        columns: Columns.
        missing: Texts that stand for a missing value beside `MISSING`.
    """

    columns: tuple[Number | Category, ...]
    missing: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one input."""
        return (sum(column.width for column in self.columns),)

    def encode(self, rows: Any) -> NDArray[np.float64]:
        """Features of shape [rows, features].

        Raises:
            ValueError: Columns are missing, or it is no table.
        """
        names = [column.name for column in self.columns]
        if not isinstance(rows, pd.DataFrame):
            raise ValueError(
                f"the model takes a table with the columns {listed(names)}, "
                f"got {type(rows).__name__}; pass a pandas DataFrame"
            )
        rows = rows.rename(columns=str)
        absent = [name for name in names if name not in rows.columns]
        if absent:
            raise ValueError(
                f"columns are missing: {listed(absent)}; expected {listed(names)}; "
                f"got {listed(rows.columns)}"
            )
        rows = with_gaps(rows[names], self.missing)
        parts = [column.encode(rows[column.name]) for column in self.columns]
        return np.concatenate(parts, axis=1)


@dataclass(frozen=True)
class Pixels:
    """Images, grey or in colours.

    Args:
        height, width: In pixels.
        scale: The raw value that becomes 1.
        colours: Numbers of each pixel.
    """

    height: int
    width: int
    scale: float
    colours: int = 1

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one input: (colours, height, width)."""
        return (self.colours, self.height, self.width)

    @property
    def raw_shape(self) -> tuple[int, ...]:
        """Of one image as people have them: the colours last, and no axis for a single one."""
        return (self.height, self.width, *((self.colours,) if self.colours > 1 else ()))

    def encode(self, rows: Any) -> NDArray[np.float32]:
        """Images [rows, colours, height, width] from [rows, height, width, colours] or flat ones.

        Grey ones may come without the axis of colours; those that have their colours first stay so.

        Raises:
            ValueError: The images have another size.
        """
        raw = np.asarray(rows)
        wanted = self.raw_shape
        flat = (self.colours * self.height * self.width,)
        if raw.shape[1:] in (flat, wanted, (self.height, self.width, self.colours)):
            raw = raw.reshape(len(raw), self.height, self.width, self.colours)
            raw = raw.transpose(0, 3, 1, 2)
        elif raw.shape[1:] != self.shape:
            raise ValueError(
                f"the model takes images of shape [rows, {', '.join(map(str, wanted))}] or "
                f"[rows, {flat[0]}], got {list(raw.shape)}; resize them"
            )
        return raw.astype(np.float32) / np.float32(self.scale)


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of one language: words and punctuation, or pieces of them.

    Args:
        tokens: In the order of their ids, `SPECIAL` first.
        merges: The pairs that byte pair encoding joins, in order; None for whole words.
        lowercase: True to put text in lower case first.
    """

    tokens: tuple[str, ...]
    merges: tuple[Pair, ...] | None = None
    lowercase: bool = False

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {token: i for i, token in enumerate(self.tokens)}

    @cached_property
    def _ranks(self) -> dict[Pair, int]:
        return {pair: rank for rank, pair in enumerate(self.merges or ())}

    @cached_property
    def _spelled(self) -> dict[str, list[str]]:
        """The pieces of every word met so far."""
        return {}

    def encode(self, sentence: str) -> list[int]:
        """The ids of a sentence's tokens, without begin and end."""
        tokens = tokenise(sentence, self.lowercase)
        if self.merges is not None:
            tokens = [piece for token in tokens for piece in self._pieces(token)]
        return [self._ids.get(token, UNKNOWN) for token in tokens]

    def decode(self, ids: Iterable[int]) -> str:
        """The sentence that ids spell, up to its end; unknown tokens show as a question mark."""
        tokens: list[str] = []
        for token in ids:
            if token == END:
                break
            if token not in (PAD, BEGIN):
                tokens.append(SHOWN_UNKNOWN if token == UNKNOWN else self.tokens[token])
        return detokenise(tokens)

    def _pieces(self, word: str) -> list[str]:
        if word not in self._spelled:
            pieces, ranks = letters(word), self._ranks
            while len(pieces) > 1:
                pair = min(pairwise(pieces), key=lambda pair: ranks.get(pair, len(ranks)))
                if pair not in ranks:
                    break
                pieces = join(pieces, pair)
            self._spelled[word] = pieces
        return self._spelled[word]


@dataclass(frozen=True)
class Sentences:
    """Sentences of one language to be translated into another.

    Args:
        source, target: Their vocabularies.
        source_length: Tokens of an input: the longest sentence and its end.
        target_length: Tokens of a target: begin, the longest sentence, end.
        column: Name of the column of source sentences.
    """

    source: Vocabulary
    target: Vocabulary
    source_length: int
    target_length: int
    column: str = "source"

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one input."""
        return (self.source_length,)

    def encode(self, rows: Any) -> NDArray[np.int64]:
        """Tokens of shape [rows, source_length].

        Raises:
            ValueError: The column is missing, a value is no text, or a sentence is too long.
        """
        given = _column_of(rows, self.column)
        return padded([self._encode(sentence) for sentence in given], self.source_length)

    def _encode(self, sentence: Any) -> list[int]:
        if not isinstance(sentence, str):
            raise ValueError(
                f"a sentence must be text, got {sentence!r}; correct it or drop the row"
            )
        ids = [*self.source.encode(sentence), END]
        if len(ids) > self.source_length:
            raise ValueError(
                f"the model takes sentences of up to {self.source_length - 1} tokens, "
                f"got {len(ids) - 1} in {sentence!r:.60}; split the sentence"
            )
        return ids


@dataclass(frozen=True)
class Text:
    """Sentences of one language: each as the ids of its tokens, ended, cut and padded.

    Args:
        vocabulary: Vocabulary.
        length: Tokens of an input, the end included; what is longer is cut.
        column: Name of the column of sentences.
    """

    vocabulary: Vocabulary
    length: int
    column: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one input."""
        return (self.length,)

    def encode(self, rows: Any) -> NDArray[np.int64]:
        """Tokens of shape [rows, length]; a missing sentence is an empty one.

        Raises:
            ValueError: The column is missing.
        """
        most = self.length - 1
        given = sentences_of(_column_of(rows, self.column))
        return padded([[*self.vocabulary.encode(s)[:most], END] for s in given], self.length)


def _column_of(rows: Any, name: str) -> pd.Series[Any]:
    """The column of sentences.

    Raises:
        ValueError: There is none.
    """
    if not isinstance(rows, pd.DataFrame) or name not in rows.columns:
        got = listed(rows.columns) if isinstance(rows, pd.DataFrame) else type(rows).__name__
        raise ValueError(
            f"the model takes a table with the column {name!r}, got {got}; "
            "pass a pandas DataFrame with one sentence in each row"
        )
    return rows[name]


def sentences_of(column: pd.Series[Any]) -> list[str]:
    """The sentences of a column as texts, a missing one as an empty one."""
    return [
        "" if gap or is_missing(value) else plain_text(value)
        for value, gap in zip(column, column.isna(), strict=True)
    ]


@dataclass(frozen=True)
class Several:
    """Several targets for each row: numbers, or labels of which each applies or does not.

    Args:
        names: Names of the targets.
        means, stds: Mean and standard deviation of each number; empty for labels.
    """

    names: tuple[str, ...]
    means: tuple[float, ...] = ()
    stds: tuple[float, ...] = ()

    def answer(self, raw: NDArray[np.float64]) -> pd.DataFrame:
        """A column for each target from outputs [rows, targets]; of labels also `p_<name>`."""
        if self.means:
            return pd.DataFrame(raw * self.stds + self.means, columns=list(self.names))
        chances = 0.5 * (1 + np.tanh(0.5 * raw))  # the logistic function, without overflow
        shown = {name: chances[:, i] > 0.5 for i, name in enumerate(self.names)}
        likely = {f"p_{name}": chances[:, i] for i, name in enumerate(self.names)}
        return pd.DataFrame({**shown, **likely})


@dataclass(frozen=True)
class Preprocessing:
    """What was learned from the training rows to turn raw rows into inputs, and outputs back.

    Args:
        inputs: Rules by which rows become inputs.
        classes: Labels in the order of a network's outputs; empty where there are none.
        target_mean, target_std: Mean and standard deviation of a regression target; else 0 and 1.
        several: What is known of several targets; None where there is one.
    """

    inputs: Table | Pixels | Sentences | Text
    classes: tuple[Label, ...] = ()
    target_mean: float = 0.0
    target_std: float = 1.0
    several: Several | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one input."""
        return self.inputs.shape

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that a table must have; empty for images."""
        if isinstance(self.inputs, Pixels):
            return ()
        if isinstance(self.inputs, Sentences | Text):
            return (self.inputs.column,)
        return tuple(column.name for column in self.inputs.columns)

    @property
    def outputs(self) -> int:
        """Numbers a network answers with for each row (token): one per class (word), or 1."""
        if isinstance(self.inputs, Sentences):
            return len(self.inputs.target.tokens)
        if self.several is not None:
            return len(self.several.names)
        return len(self.classes) or 1

    def transform(self, rows: pd.DataFrame | NDArray[Any]) -> NDArray[Any]:
        """Inputs of shape [rows, *shape]: float32, or the int64 tokens of sentences.

        Raises:
            ValueError: Columns are missing, a value is no number (no text), images have another
                size, or a sentence is too long.
        """
        kind = np.int64 if isinstance(self.inputs, Sentences | Text) else np.float32
        return np.ascontiguousarray(self.inputs.encode(rows), dtype=kind)

    def answer(self, outputs: NDArray[Any]) -> pd.DataFrame:
        """One row of answer for each row of a network's raw outputs.

        Args:
            outputs: Shape [rows, classes] or, for regression, [rows, 1] or [rows]; for several
                targets [rows, targets]; for translation tokens [rows, length].

        Returns:
            `prediction`: the label, the number in the target's own units, or the translation;
            for classes also the probability of each as `p_<label>`. For several targets a column
            for each, by its name.

        Raises:
            ValueError: The outputs have another shape.
        """
        if isinstance(self.inputs, Sentences):
            rows = np.asarray(outputs).astype(np.int64).tolist()
            return pd.DataFrame({"prediction": [self.inputs.target.decode(ids) for ids in rows]})
        wanted = self.outputs
        raw = np.asarray(outputs, dtype=np.float64)
        if not self.classes and raw.ndim == 1:
            raw = raw[:, None]
        if raw.ndim != 2 or raw.shape[1] != wanted:
            raise ValueError(f"outputs must have shape [rows, {wanted}], got {list(raw.shape)}")
        if self.several is not None:
            return self.several.answer(raw)
        if not self.classes:
            return pd.DataFrame({"prediction": raw[:, 0] * self.target_std + self.target_mean})
        likelihood = np.exp(raw - raw.max(axis=1, keepdims=True))
        likelihood /= likelihood.sum(axis=1, keepdims=True)
        columns = {f"p_{label}": likelihood[:, i] for i, label in enumerate(self.classes)}
        return pd.DataFrame(
            {"prediction": [self.classes[i] for i in raw.argmax(axis=1)], **columns}
        )

    def to_json(self) -> str:
        """All of it as text; `from_json` gives an equal one back."""
        return json.dumps({"kind": type(self.inputs).__name__, **asdict(self)})

    @staticmethod
    def from_json(text: str) -> Preprocessing:
        """What `to_json` wrote."""
        given = json.loads(text)
        kind, inputs = given.pop("kind"), given.pop("inputs")
        classes = tuple(given.pop("classes"))
        several = given.pop("several", None)
        if several is not None:
            given["several"] = Several(*(tuple(part) for part in several.values()))
        if kind == "Pixels":
            return Preprocessing(Pixels(**inputs), classes, **given)
        if kind == "Sentences":
            source, target = (_vocabulary(inputs.pop(side)) for side in ("source", "target"))
            return Preprocessing(Sentences(source, target, **inputs), classes, **given)
        if kind == "Text":
            words = _vocabulary(inputs.pop("vocabulary"))
            return Preprocessing(Text(words, **inputs), classes, **given)
        table = Table(tuple(map(_column, inputs["columns"])), tuple(inputs.get("missing", ())))
        return Preprocessing(table, classes, **given)


def _column(given: dict[str, Any]) -> Number | Category:
    if "median" in given:
        return Number(**given)
    return Category(**{**given, "categories": tuple(given["categories"])})


def _vocabulary(given: dict[str, Any]) -> Vocabulary:
    merges = given["merges"]
    pairs = None if merges is None else tuple((left, right) for left, right in merges)
    return Vocabulary(tuple(given["tokens"]), pairs, given["lowercase"])


def tokenise(sentence: str, lowercase: bool = False) -> list[str]:
    """Words and punctuation; `detokenise` puts them together again, spaces but one apart.

    Where no space stands between two tokens, the one that is punctuation carries `JOINER`, as
    in the joiner annotation of OpenNMT's Tokenizer.
    """
    text = unicodedata.normalize("NFC", sentence).replace(JOINER, " ")
    found = list(TOKEN.finditer(text.lower() if lowercase else text))
    tokens = [match[0] for match in found]
    for i, (before, after) in enumerate(pairwise(found)):
        if before.end() == after.start():
            if re.match(r"\w", after[0]):
                tokens[i] += JOINER
            else:
                tokens[i + 1] = JOINER + tokens[i + 1]
    return tokens


def detokenise(tokens: Iterable[str]) -> str:
    """The sentence that tokens, or pieces of them, make."""
    text = " ".join(tokens)
    return text.replace(f" {JOINER}", "").replace(f"{JOINER} ", "").replace(JOINER, "")


def letters(word: str) -> list[str]:
    """What byte pair encoding starts from: letters, all but the last joined to the next."""
    if JOINER in word:  # punctuation
        return [word]
    return [*(letter + JOINER for letter in word[:-1]), word[-1]]


def join(pieces: Sequence[str], pair: Pair) -> list[str]:
    """The pieces with every occurrence of the pair made one."""
    left, right = pair
    joined: list[str] = []
    for piece in pieces:
        if piece == right and joined and joined[-1] == left:
            joined[-1] = left.removesuffix(JOINER) + right
        else:
            joined.append(piece)
    return joined


def padded(rows: Sequence[Sequence[int]], length: int) -> NDArray[np.int64]:
    """Ids [rows, length], each row filled up with `PAD`."""
    filled = np.full((len(rows), length), PAD, dtype=np.int64)
    for ids, row in zip(rows, filled, strict=True):
        row[: len(ids)] = ids
    return filled


def listed(names: Iterable[object], most: int = 20) -> str:
    """Names for people; of many, the first `most` and how many more there are."""
    shown = [repr(name) if isinstance(name, str) else str(name) for name in names]
    more = f" and {len(shown) - most} more" if len(shown) > most else ""
    return (", ".join(shown[:most]) or "nothing") + more


def numbers(column: pd.Series[Any]) -> NDArray[np.float64]:
    """Values of shape [rows]; NaN where they are missing or infinite.

    Raises:
        ValueError: A value is neither missing nor a number.
    """
    if pd.api.types.is_numeric_dtype(column.dtype):
        values = np.array(column.to_numpy(dtype=np.float64, na_value=np.nan))
    else:
        codes, found = pd.factorize(column)
        parsed = [_number(value, column.name) for value in found]
        values = np.array([*parsed, np.nan])[codes]  # the code of a missing value is -1
    values[np.isinf(values)] = np.nan
    return values


def _number(value: Any, name: object) -> float:
    if is_missing(value):
        return np.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(
            f"column {name!r} must hold numbers, got {value!r}; correct it or leave it empty"
        ) from None


def days(column: pd.Series[Any]) -> NDArray[np.float64]:
    """Dates as days since 1970-01-01, shape [rows]; NaN where they are missing.

    Raises:
        ValueError: A value is neither missing nor a date.
    """
    codes, found = pd.factorize(column)
    given = pd.Series([None if is_missing(value) else value for value in found], dtype=object)
    stamps = pd.to_datetime(given, utc=True, errors="coerce", format="ISO8601")
    wrong = given[given.notna() & stamps.isna()]
    if len(wrong):
        raise ValueError(
            f"column {column.name!r} must hold dates, got {wrong.iloc[0]!r}; "
            "write them as 2020-12-31 or leave them empty"
        )
    elapsed = (stamps - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)
    return np.append(elapsed.to_numpy(dtype=np.float64), np.nan)[codes]


def texts(column: pd.Series[Any]) -> tuple[NDArray[np.intp], list[str | None]]:
    """Distinct values as text (None where that means missing), and which one each row has.

    The index of a missing value is -1.
    """
    codes, found = pd.factorize(column)
    return codes, [None if is_missing(value) else plain_text(value) for value in found]


def with_gaps(rows: pd.DataFrame, missing: Sequence[str]) -> pd.DataFrame:
    """The same rows without the values that some texts stand for."""
    if not missing:
        return rows
    return pd.DataFrame({name: _with_gaps(rows[name], set(missing)) for name in rows.columns})


def _with_gaps(column: pd.Series[Any], missing: set[str]) -> pd.Series[Any]:
    try:
        codes, found = pd.factorize(column)
    except TypeError:  # lists, which no column of a table may hold
        return column
    gone = np.array([*(plain_text(value) in missing for value in found), False])[codes]
    return column.mask(gone) if gone.any() else column


def plain_text(value: Any) -> str:
    """The same for 2, 2.0 and "2": one gap turns a column of integers into floats."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def is_missing(value: Any) -> bool:
    """Whether a text stands for a missing value."""
    return isinstance(value, str) and value.strip() in MISSING
