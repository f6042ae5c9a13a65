"""Looks at data once they are loaded, and says what was understood of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nettuner.models.data import suspicious
from nettuner.models.data.categories import Texts, texts_of
from nettuner.models.data.dataset import Dataset, Split
from nettuner.models.data.fit import kind_of
from nettuner.models.data.preprocessing import (
    Category,
    Number,
    Pixels,
    Sentences,
    Table,
    Text,
    days,
    is_missing,
    numbers,
)
from nettuner.models.data.profile import Column, Kind, Profile, TargetFacts
from nettuner.models.data.source import Source
from nettuner.models.data.streams import RowStream
from nettuner.models.data.table_source import TableSource
from nettuner.models.data.tables import Tables

if TYPE_CHECKING:
    import pandas as pd

SHOWN_CATEGORIES = 4


def profile(source: Source, dataset: Dataset, *, folded: bool = False) -> Profile:
    """What was understood of the data of a source.

    Args:
        source: Source; the files of tables are read once more, for what training does not need.
        dataset: Dataset that was loaded from it.
        folded: True where trials are validated on all rows but those of the test, fold by fold.
    """
    tables = None if dataset.preprocessing is None else source.tables()
    columns, warnings = ((), ()) if tables is None else _columns(tables, source, dataset)
    name = "the target" if tables is None else ", ".join(tables.targets)
    rows = _rows(dataset)
    judged = (rows["validation"] or 0) + ((rows["train"] or 0) if folded else 0)
    target, doubts = _target(dataset, name, judged)
    if tables is not None and dataset.task == "classification":
        texts = texts_of(tables.own[tables.target].astype(object))
        doubts = (*suspicious.known(suspicious.of_numbers_as_text(texts)), *doubts)
    return Profile(
        rows=rows,
        inputs=_inputs(dataset),
        shape=dataset.shape,
        target=target,
        dropped=dataset.dropped,
        recognised=source.recognised(),
        columns=columns,
        warnings=(*warnings, *doubts),
        origin=dataset.facts,
    )


def _rows(dataset: Dataset) -> dict[str, int | None]:
    """Rows of each split that there is; None where only a loader knows."""
    parts = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
    return {
        name: len(part) if isinstance(part, Split | RowStream) else None
        for name, part in parts.items()
        if part is not None
    }


def _inputs(dataset: Dataset) -> str:
    if dataset.preprocessing is None:
        return f"as they are given, shape {list(dataset.shape)}" if dataset.shape else "several"
    inputs = dataset.preprocessing.inputs
    if isinstance(inputs, Table):
        return f"{inputs.shape[0]} features of {len(inputs.columns)} columns"
    if isinstance(inputs, Pixels):
        colours, height, width = inputs.shape
        return f"images of {colours} x {height} x {width} (colours, height, width)"
    if isinstance(inputs, Text):
        words = len(inputs.vocabulary.tokens)
        return f"sentences of up to {inputs.length - 1} tokens, of {words:,} known"
    return (
        f"sentences of up to {inputs.source_length - 1} tokens, of {len(inputs.source.tokens):,} "
        "known"
    )


def _target(dataset: Dataset, name: str, judged: int) -> tuple[TargetFacts, tuple[str, ...]]:
    """What is predicted, and what looks wrong with it."""
    if dataset.preprocessing is None:
        shape = f", shape {list(dataset.target_shape)}" if dataset.target_shape else ""
        many = f"{dataset.outputs} classes"
        what = {"classification": many, "regression": "numbers", "labels": "labels of 0 and 1"}
        plain = "as they are given"
        told = f"{what[dataset.task]} {plain}" if dataset.task in what else plain
        return TargetFacts(name, holds=f"{told}{shape}"), ()
    parts = (dataset.train, dataset.validation, dataset.test)
    targets = np.concatenate([part.targets for part in parts if isinstance(part, Split)])
    if dataset.task == "classification":
        counts = np.bincount(targets, minlength=len(dataset.classes)).tolist()
        classes = dict(zip(map(str, dataset.classes), counts, strict=True))
        majority = max(counts) / max(sum(counts), 1)
        return TargetFacts(name, classes), suspicious.known(
            suspicious.of_spelling(name, [c for c in dataset.classes if isinstance(c, str)]),
            suspicious.of_majority(name, classes),
            suspicious.of_few_classified(judged, majority),
        )
    few = suspicious.known(suspicious.of_few_measured(judged))
    several = dataset.preprocessing.several
    if several is not None and several.means:
        return TargetFacts(name, holds=f"{len(several.names)} numbers"), few
    if several is not None:
        counts = zip(several.names, targets.sum(0).astype(int).tolist(), strict=True)
        return TargetFacts(name, dict(counts), "labels"), ()
    inputs = dataset.preprocessing.inputs
    if isinstance(inputs, Sentences):
        words = len(inputs.target.tokens)
        holds = f"sentences of up to {inputs.target_length - 2} tokens, of {words:,} known"
        return TargetFacts(name, holds=holds), ()
    given = targets * dataset.preprocessing.target_std + dataset.preprocessing.target_mean
    low, high, mean = given.min(), given.max(), given.mean()
    return (
        TargetFacts(name, holds=f"{low:.4g} to {high:.4g}, {mean:.4g} on average"),
        few,
    )


def _columns(
    tables: Tables, source: Source, dataset: Dataset
) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """Every column of a table, and what looks wrong with them."""
    assert dataset.preprocessing is not None
    inputs = dataset.preprocessing.inputs
    of_table = inputs.columns if isinstance(inputs, Table) else ()
    fitted = {column.name: column for column in of_table}
    drop = source.drop if isinstance(source, TableSource) else ()
    columns: list[Column] = []
    counting: list[str] = []
    constant: list[str] = []
    lines: list[str] = []
    for name in tables.own.columns:
        if name in tables.targets:
            continue
        column = tables.own[name]
        if isinstance(inputs, Text) and name == inputs.column:
            columns.append(_sentences(column, inputs))
        elif name in tables.division.left_out:
            divides = name in (tables.division.group, tables.division.time)
            said = name in drop
            why = "divides the rows" if divides else "as drop says" if said else "not read"
            columns.append(Column(name, "left out", why, _missing(column)))
        elif name not in fitted:
            columns.append(Column(name, "left out", "one value alone", _missing(column)))
            constant.append(name)
        elif isinstance(fitted[name], Number):
            found, counts = _number(column, fitted[name])
            columns.append(found)
            counting += [name] if counts else []
        else:
            texts = texts_of(column)
            columns.append(_category(texts, column, fitted[name]))
            lines += suspicious.known(
                suspicious.of_words(texts),
                suspicious.of_numbers_as_text(texts),
                suspicious.of_spelling(name, texts.values),
            )
    dropped = [name for name in drop if name not in tables.own.columns]
    columns += [Column(name, "left out", "as drop says") for name in dropped]
    if counting:
        lines.insert(0, suspicious.of_indices(counting))
    if constant:
        lines.append(suspicious.of_constants(constant))
    return tuple(columns), tuple(lines)


def _number(column: pd.Series[Any], fitted: Number | Category) -> tuple[Column, bool]:
    """A column of numbers or dates, and whether it looks like an index."""
    dates = kind_of(column) == "date"
    values = days(column) if dates else numbers(column)
    known = values[~np.isnan(values)]
    holds = ""
    if len(known):
        holds = " to ".join(map(_day if dates else _short, (known.min(), known.max())))
    missing = (len(values) - len(known)) / max(len(values), 1)
    counts = not dates and suspicious.looks_like_an_index(str(column.name), values)
    kind: Kind = "date" if dates else "number"
    return Column(str(column.name), kind, holds, missing, fitted.width), counts


def _category(texts: Texts, column: pd.Series[Any], fitted: Number | Category) -> Column:
    order = np.argsort(-texts.counts, kind="stable")[:SHOWN_CATEGORIES].tolist()
    shown = ", ".join(f"{texts.values[place]:.20}" for place in order)
    more = ", …" if len(texts) > SHOWN_CATEGORIES else ""
    holds = f"{len(texts)}: {shown}{more}"
    missing = (len(column) - texts.rows) / max(len(column), 1)
    return Column(texts.name, "category", holds, missing, fitted.width)


def _sentences(column: pd.Series[Any], inputs: Text) -> Column:
    known = column.dropna()
    shown = f", such as {str(known.iloc[0])!r:.40}" if len(known) else ""
    holds = f"{known.nunique():,} different{shown}"
    return Column(str(column.name), "text", holds, _missing(column), inputs.length)


def _missing(column: pd.Series[Any]) -> float:
    gone = column.isna() | column.map(is_missing).astype(bool)
    return float(gone.mean()) if len(column) else 0.0


def _day(value: float) -> str:
    return str(np.datetime64(0, "D") + np.timedelta64(int(value), "D"))


def _short(value: float) -> str:
    return f"{value:.6g}"
