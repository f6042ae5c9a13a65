"""Whether a challenger is significantly better than the champion, on rows new to both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import bootstrap

from nettuner.models.arrays import Floats
from nettuner.models.production.served_metrics import Measure

RESAMPLES = 4999
# Row numbers drawn at once: limits the memory for large sets of rows.
DRAWN_AT_ONCE = 5_000_000
FEWEST_ROWS = 20


@dataclass(frozen=True)
class Verdict:
    """A paired comparison of two models by a metric.

    Args:
        metric: Name of the metric.
        direction: Direction in which the metric is better.
        champion, challenger: Metric of each.
        gain: Difference of the two; positive where the challenger is better.
        low, high: Bootstrap interval of the gain.
        margin: Gain required.
        confidence: Confidence level of the interval.
        rows: Number of rows that both were measured on.
        worst: Metric of the challenger at the worse end of its own interval.
    """

    metric: str
    direction: str
    champion: float
    challenger: float
    gain: float
    low: float
    high: float
    margin: float
    confidence: float
    rows: int
    worst: float

    @property
    def passed(self) -> bool:
        """Whether even the pessimistic end of the interval is above the margin."""
        return bool(self.low > self.margin)

    @property
    def reason(self) -> str:
        """The decision and its figures, as a sentence."""
        sign = ">" if self.passed else "not >"
        return (
            f"{self.metric} {self.challenger:.6g} against {self.champion:.6g} on {self.rows} rows: "
            f"better by {self.gain:.4g}, {self.confidence:.0%} interval {self.low:.4g} to "
            f"{self.high:.4g}, {sign} {self.margin:g}"
        )


def judge(
    measure: Measure,
    truth: Sequence[Any],
    champion: pd.DataFrame,
    challenger: pd.DataFrame,
    margin: float = 0.0,
    confidence: float = 0.95,
) -> Verdict:
    """Compare two models' answers to the same rows.

    The interval is a paired percentile bootstrap (Efron and Tibshirani 1993, chapter 13): rows are
    drawn with replacement, and both models are measured on the same draw.

    Args:
        measure: Metric to compare by.
        truth: True answers.
        champion, challenger: Answers of each model.
        margin: Gain required, in units of the metric; at least 0.
        confidence: Confidence level of the two-sided interval.

    Raises:
        ValueError: There are too few rows, or the metric has no value on them.
    """
    if len(truth) < FEWEST_ROWS:
        raise ValueError(
            f"a comparison needs at least {FEWEST_ROWS} rows that neither model has seen, got "
            f"{len(truth)}; give more data or set more of it aside"
        )
    old, new = measure.per_row(truth, champion), measure.per_row(truth, challenger)
    before, after = measure.value(old), measure.value(new)
    if not np.isfinite([before, after]).all():
        raise ValueError(
            f"{measure.name} must have a value on the rows compared, got {before} and {after}; "
            "compare by another metric"
        )
    low, high = interval(
        len(truth),
        lambda rows: measure.gain(_of(measure, old, rows), _of(measure, new, rows)),
        confidence,
    )
    own = interval(len(truth), lambda rows: _of(measure, new, rows), confidence)
    return Verdict(
        measure.name,
        measure.direction,
        before,
        after,
        float(measure.gain(before, after)),
        low,
        high,
        margin,
        confidence,
        len(truth),
        own[1] if measure.direction == "minimize" else own[0],
    )


def _of(measure: Measure, per_row: Floats, rows: NDArray[np.int64]) -> Floats:
    """The metric of each bootstrap sample of rows [draws, rows]."""
    means = np.stack([column[rows].mean(axis=-1) for column in per_row.T], axis=-1)
    return measure.of_means(means)


def interval(count: int, statistic: Any, confidence: float) -> tuple[float, float]:
    """The percentile bootstrap interval of a statistic of row numbers [draws, rows].

    The seed is fixed: the same answers always give the same interval.
    """

    def of_rows(rows: NDArray[np.int64], axis: int) -> Floats:
        found: Floats = statistic(np.moveaxis(rows, axis, -1))
        return found

    found = bootstrap(
        (np.arange(count),),
        of_rows,
        n_resamples=RESAMPLES,
        batch=max(1, DRAWN_AT_ONCE // count),
        vectorized=True,
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return float(found.low), float(found.high)
