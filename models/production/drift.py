"""Whether the inputs of a model are still those it was trained on, column by column.

The statistic is the population stability index over ten equally filled bins of the training rows
(or over the categories), missing values being a bin of their own:

    PSI = sum over bins of (p - q) ln(p / q)

Without any drift it is not zero but about (1/n + 1/m) times a chi-squared variable with bins - 1
degrees of freedom, where n and m are the numbers of rows (Yurdakul and Naranjo 2020, "Statistical
properties of the population stability index"). So a column has drifted only where its PSI is above
the limit and above what chance explains.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from nettuner.models.data.fit import kind_of
from nettuner.models.data.preprocessing import days, numbers, texts

if TYPE_CHECKING:
    import pandas as pd

BINS = 10
MOST_CATEGORIES = 30
# Above 0.1 a shift is usually called moderate, above 0.25 large.
LIMIT = 0.25
# Probability that a check without drift calls any column drifted.
FALSE_ALARMS = 0.01

Reference = dict[str, dict[str, Any]]
"""By column: its kind, inner bin edges or categories, and the training rows in each bin."""


@dataclass(frozen=True)
class Drift:
    """Drift of one column since training.

    Args:
        column: Name of the column.
        index: Population stability index.
        chance: Quantile of the index without drift; values below are explained by chance.
    """

    column: str
    index: float
    chance: float

    def exceeds(self, limit: float) -> bool:
        """Whether it is above the limit, and not by chance."""
        return self.index > max(limit, self.chance)


def reference(rows: pd.DataFrame) -> Reference:
    """Histograms of the training rows, to compare later rows with; can be written as JSON."""
    return {str(name): _described(rows[name]) for name in rows.columns}


def drifts(known: Mapping[str, Mapping[str, Any]], rows: pd.DataFrame) -> list[Drift]:
    """The drift of every column, the largest first.

    Args:
        known: Reference made from the training rows.
        rows: New rows, at least one.

    Raises:
        ValueError: Columns are missing, or one that had numbers has other values.
    """
    absent = [name for name in known if name not in rows.columns]
    if absent:
        raise ValueError(
            f"the columns {', '.join(absent)} must be there as in training, got "
            f"{', '.join(map(str, rows.columns))}; correct the data or train anew"
        )
    return sorted(
        (_drift(name, facts, rows[name], len(known)) for name, facts in known.items()),
        key=lambda drift: -drift.index,
    )


def _described(column: pd.Series[Any]) -> dict[str, Any]:
    kind = kind_of(column)
    if kind == "category":
        codes, found = texts(column)
        rows = Counter(found[code] for code in codes if code >= 0)
        del rows[None]
        common = sorted(rows, key=lambda name: (-rows[name], str(name)))[:MOST_CATEGORIES]
        facts: dict[str, Any] = {"kind": kind, "bins": sorted(map(str, common))}
    else:
        values = _values(kind, column)
        present = values[~np.isnan(values)]
        shares = np.linspace(0, 1, BINS + 1)[1:-1]
        edges = np.unique(np.quantile(present, shares)) if len(present) else np.zeros(0)
        facts = {"kind": kind, "bins": edges.tolist()}
    return {**facts, "counts": _counts(facts, column).tolist()}


def _values(kind: str, column: pd.Series[Any]) -> NDArray[np.float64]:
    return days(column) if kind == "date" else numbers(column)


def _counts(facts: Mapping[str, Any], column: pd.Series[Any]) -> NDArray[np.int64]:
    """Rows in each bin; further bins for other categories, if any, and for missing values."""
    if facts["kind"] == "category":
        codes, found = texts(column)
        places = {name: i for i, name in enumerate(facts["bins"])}
        other, gap = len(places), len(places) + 1
        place = np.array([gap if t is None else places.get(t, other) for t in found] + [gap])
        return np.bincount(place[codes], minlength=gap + 1)
    values = _values(facts["kind"], column)
    # A frequent value may be an edge itself; it counts to the bin below.
    inside = np.searchsorted(facts["bins"], values, side="left")
    gap = len(facts["bins"]) + 1
    return np.bincount(np.where(np.isnan(values), gap, inside), minlength=gap + 1)


def _drift(name: str, facts: Mapping[str, Any], column: pd.Series[Any], columns: int) -> Drift:
    before, after = np.array(facts["counts"]), _counts(facts, column)
    used = before + after > 0
    n, m = before.sum(), after.sum()
    # Half a row in empty bins keeps the logarithm finite.
    p = np.maximum(before[used], 0.5) / n
    q = np.maximum(after[used], 0.5) / m
    index = float(((q - p) * np.log(q / p)).sum())
    level = 1 - FALSE_ALARMS / columns
    chance = float((1 / n + 1 / m) * chi2.ppf(level, max(int(used.sum()) - 1, 1)))
    return Drift(name, index, chance)
