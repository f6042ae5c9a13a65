"""From rows as people have them to a network's inputs, and from its outputs to answers.

This file is also shipped beside a served model and imported there without nettuner: it may
import nothing else of this project. What it holds was fitted by `models/data/fit.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Label = bool | int | float | str
Floats = NDArray[np.float64]

# Texts that stand for a missing value: those of pandas.read_csv, and the "?" of the UCI archive.
MISSING = frozenset(
    ("", "?", "NA", "N/A", "n/a", "NULL", "null", "None", "NaN", "-NaN", "nan", "-nan", "<NA>")
) | {"#N/A", "#N/A N/A", "#NA", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"}


@dataclass(frozen=True)
class Number:
    """A column of numbers, or of dates counted in days: standardised, gaps filled.

    Args:
        name: Of the column.
        median: Fills gaps.
        mean, std: Of the training rows after filling.
        missing: Whether a second feature says where the gaps were.
        dates: Whether the values are dates.
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

    def encode(self, column: pd.Series[Any]) -> Floats:
        """Features of shape [rows, width].

        Raises:
            ValueError: a value is neither missing nor a number (a date).
        """
        values = days(column) if self.dates else numbers(column)
        gaps = np.isnan(values)
        standard = (np.where(gaps, self.median, values) - self.mean) / self.std
        return np.stack([standard, gaps], axis=1)[:, : self.width]


@dataclass(frozen=True)
class Category:
    """A column of texts or booleans: one feature for each category, 1 where it applies.

    Args:
        name: Of the column.
        categories: Those with a feature of their own.
        other: Whether one feature stands for all further categories; without it, a category
            never seen in training gets zeros only.
        missing: Whether the last feature says where values are missing.
    """

    name: str
    categories: tuple[str, ...]
    other: bool = False
    missing: bool = False

    @property
    def width(self) -> int:
        """Features it turns into."""
        return len(self.categories) + self.other + self.missing

    def encode(self, column: pd.Series[Any]) -> Floats:
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
    """Rows of named columns, in any order; columns it does not name are ignored."""

    columns: tuple[Number | Category, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one input."""
        return (sum(column.width for column in self.columns),)

    def encode(self, rows: Any) -> Floats:
        """Features of shape [rows, features].

        Raises:
            ValueError: columns are missing, or it is no table.
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
        parts = [column.encode(rows[column.name]) for column in self.columns]
        return np.concatenate(parts, axis=1)


@dataclass(frozen=True)
class Pixels:
    """Grey images.

    Args:
        height, width: In pixels.
        scale: The raw value that becomes 1.
    """

    height: int
    width: int
    scale: float

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one input: (colours, height, width)."""
        return (1, self.height, self.width)

    def encode(self, rows: Any) -> NDArray[np.float32]:
        """Images [rows, 1, height, width] from [rows, height, width] or flat ones.

        Raises:
            ValueError: the images have another size.
        """
        raw = np.asarray(rows)
        flat = (self.height * self.width,)
        if raw.shape[1:] not in (flat, self.shape, self.shape[1:]):
            raise ValueError(
                f"the model takes images of shape [rows, {self.height}, {self.width}] or "
                f"[rows, {flat[0]}], got {list(raw.shape)}; resize them"
            )
        return raw.reshape(len(raw), *self.shape).astype(np.float32) / np.float32(self.scale)


@dataclass(frozen=True)
class Preprocessing:
    """What was learned from the training rows to turn raw rows into inputs, and outputs back.

    Args:
        inputs: How rows become inputs.
        classes: Labels in the order of a network's outputs; empty for regression.
        target_mean, target_std: Of the target in its own units; 0 and 1 for classes.
    """

    inputs: Table | Pixels
    classes: tuple[Label, ...] = ()
    target_mean: float = 0.0
    target_std: float = 1.0

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one input."""
        return self.inputs.shape

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that a table must have; empty for images."""
        if isinstance(self.inputs, Pixels):
            return ()
        return tuple(column.name for column in self.inputs.columns)

    def transform(self, rows: pd.DataFrame | NDArray[Any]) -> NDArray[np.float32]:
        """Inputs of shape [rows, *shape].

        Raises:
            ValueError: columns are missing, a value is no number, or images have another size.
        """
        return np.ascontiguousarray(self.inputs.encode(rows), dtype=np.float32)

    def answer(self, outputs: NDArray[Any]) -> pd.DataFrame:
        """One row of answer for each row of a network's raw outputs.

        Args:
            outputs: Shape [rows, classes] or, for regression, [rows, 1] or [rows].

        Returns:
            `prediction`: the label, or the number in the target's own units; for classes also
            the probability of each as `p_<label>`.

        Raises:
            ValueError: the outputs have another shape.
        """
        wanted = len(self.classes) or 1
        raw = np.asarray(outputs, dtype=np.float64)
        if not self.classes and raw.ndim == 1:
            raw = raw[:, None]
        if raw.ndim != 2 or raw.shape[1] != wanted:
            raise ValueError(f"outputs must have shape [rows, {wanted}], got {list(raw.shape)}")
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
        if kind == "Pixels":
            return Preprocessing(Pixels(**inputs), classes, **given)
        return Preprocessing(Table(tuple(map(_column, inputs["columns"]))), classes, **given)


def _column(given: dict[str, Any]) -> Number | Category:
    if "median" in given:
        return Number(**given)
    return Category(**{**given, "categories": tuple(given["categories"])})


def listed(names: Iterable[object], most: int = 20) -> str:
    """Names for people; of many, the first `most` and how many more there are."""
    shown = [repr(name) if isinstance(name, str) else str(name) for name in names]
    more = f" and {len(shown) - most} more" if len(shown) > most else ""
    return (", ".join(shown[:most]) or "nothing") + more


def numbers(column: pd.Series[Any]) -> Floats:
    """Values of shape [rows]; NaN where they are missing or infinite.

    Raises:
        ValueError: a value is neither missing nor a number.
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


def days(column: pd.Series[Any]) -> Floats:
    """Dates as days since 1970-01-01, shape [rows]; NaN where they are missing.

    Raises:
        ValueError: a value is neither missing nor a date.
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
    return codes, [None if is_missing(value) else _text(value) for value in found]


def _text(value: Any) -> str:
    """The same for 2, 2.0 and "2": one gap turns a column of integers into floats."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def is_missing(value: Any) -> bool:
    """Whether a text stands for a missing value."""
    return isinstance(value, str) and value.strip() in MISSING
