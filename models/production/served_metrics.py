"""Metrics of a served model's answers, row by row, for paired comparisons of two models.

Metrics are computed from a model's answers in production, in the target's own units, never from
its training loss: two models may have scaled the target differently.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nettuner.models.arrays import Floats
from nettuner.models.data.preprocessing import plain_text
from nettuner.models.data.source import TaskKind
from nettuner.models.study import Direction

# Probabilities are clipped here, so that one row with probability 0 does not decide everything.
LEAST_PROBABILITY = 1e-7


@dataclass(frozen=True)
class Measure:
    """A metric that is a function of means over rows.

    Args:
        name: Name as in a study, without `val_`.
        direction: Direction in which the metric is better.
        per_row: Function from true answers and answers to statistics [rows, k].
        of_means: Function from means of these over rows [..., k] to the metric [...].
    """

    name: str
    direction: Direction
    per_row: Callable[[Sequence[Any], pd.DataFrame], Floats]
    of_means: Callable[[Floats], Floats]

    def value(self, per_row: Floats) -> float:
        """The metric over all rows."""
        return float(self.of_means(per_row.mean(axis=0)))

    def gain(self, before: Floats | float, after: Floats | float) -> Any:
        """How much better `after` is: positive where it is better."""
        return before - after if self.direction == "minimize" else after - before


def measure(task: TaskKind, metric: str) -> Measure:
    """The `Measure` for a study's metric.

    Args:
        task: Task: classification, regression or translation.
        metric: Name as in the study, such as `val_accuracy`.

    Raises:
        ValueError: It cannot be computed from answers.
    """
    name = metric.removeprefix("val_")
    known = MEASURES[task]
    if name not in known:
        raise ValueError(
            f"models are compared by what they answer, got the metric {metric!r}; "
            f"compare by one of: {', '.join(known)}"
        )
    return known[name]


def constant(task: TaskKind, truth: Sequence[Any], name: str) -> pd.DataFrame:
    """The answers of the best constant predictor, fitted to the truth: a baseline to beat.

    Args:
        task: Task: classification, regression or translation.
        truth: True answers.
        name: Name of the metric; for `mae` the best constant is the median.
    """
    if task == "translation":
        return pd.DataFrame({"prediction": [""] * len(truth)})
    if task == "regression":
        values = np.asarray(truth, dtype=np.float64)
        best = np.median(values) if name == "mae" else values.mean()
        return pd.DataFrame({"prediction": np.full(len(values), best)})
    labels = [named(label) for label in truth]
    shares = pd.Series(labels).value_counts(normalize=True).sort_index()
    answers = {f"p_{label}": np.full(len(labels), share) for label, share in shares.items()}
    return pd.DataFrame({"prediction": [shares.idxmax()] * len(labels), **answers})


def named(label: object) -> str:
    """A label as text, the same for 2, 2.0, "2" and the "2.0" in a column's name."""
    text = plain_text(label)
    try:
        return plain_text(float(text))
    except ValueError:
        return text


def _right(truth: Sequence[Any], answers: pd.DataFrame) -> Floats:
    found = answers["prediction"].tolist()
    same = [named(a) == named(b) for a, b in zip(truth, found, strict=True)]
    return np.array(same, dtype=np.float64)[:, None]


def _surprise(truth: Sequence[Any], answers: pd.DataFrame) -> Floats:
    """Minus the logarithm [nats] of the probability that each row gave to its true label."""
    chances = {
        named(name.removeprefix("p_")): answers[name].to_numpy(np.float64)
        for name in answers.columns
        if name.startswith("p_")
    }
    impossible = np.zeros(len(answers))
    likely = [chances.get(named(label), impossible)[row] for row, label in enumerate(truth)]
    surprise: Floats = -np.log(np.clip(likely, LEAST_PROBABILITY, 1.0))
    return surprise[:, None]


def _errors(truth: Sequence[Any], answers: pd.DataFrame) -> Floats:
    return answers["prediction"].to_numpy(np.float64) - np.asarray(truth, dtype=np.float64)


def _squared(truth: Sequence[Any], answers: pd.DataFrame) -> Floats:
    return _errors(truth, answers)[:, None] ** 2


def _absolute(truth: Sequence[Any], answers: pd.DataFrame) -> Floats:
    return np.abs(_errors(truth, answers))[:, None]


def _for_r2(truth: Sequence[Any], answers: pd.DataFrame) -> Floats:
    values = np.asarray(truth, dtype=np.float64)
    values = values - values.mean()  # centred: sums of squares keep their precision
    return np.stack([_errors(truth, answers) ** 2, values, values**2], axis=1)


def _r2(means: Floats) -> Floats:
    spread = means[..., 2] - means[..., 1] ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(spread > 0, 1 - means[..., 0] / spread, np.nan)


def _for_bleu(truth: Sequence[Any], answers: pd.DataFrame) -> Floats:
    """Per sentence: its length, the reference's, matched n-grams, and all n-grams."""
    from sacrebleu.metrics.bleu import BLEU

    bleu = BLEU(effective_order=True)
    rows = []
    for wanted, found in zip(truth, answers["prediction"], strict=True):
        score = bleu.sentence_score(str(found), [str(wanted)])
        rows.append([score.sys_len, score.ref_len, *score.counts, *score.totals])
    return np.array(rows, dtype=np.float64)


def _bleu(means: Floats) -> Floats:
    """Corpus BLEU, 0 to 100 (Papineni et al. 2002; Post 2018), without smoothing."""
    ours, theirs = means[..., 0], means[..., 1]
    counts, totals = means[..., 2:6], means[..., 6:10]
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.exp(np.log(counts / totals).mean(axis=-1))
        brevity = np.where(ours < theirs, np.exp(1 - theirs / ours), 1.0)
    score: Floats = np.nan_to_num(100 * precision * brevity)
    return score


def _first(means: Floats) -> Floats:
    return means[..., 0]


MEASURES: Mapping[TaskKind, Mapping[str, Measure]] = {
    "classification": {
        "loss": Measure("loss", "minimize", _surprise, _first),
        "accuracy": Measure("accuracy", "maximize", _right, _first),
    },
    "regression": {
        "loss": Measure("loss", "minimize", _squared, _first),
        "rmse": Measure("rmse", "minimize", _squared, lambda means: np.sqrt(means[..., 0])),
        "mae": Measure("mae", "minimize", _absolute, _first),
        "r2": Measure("r2", "maximize", _for_r2, _r2),
    },
    "translation": {
        "exact": Measure("exact", "maximize", _right, _first),
        "bleu": Measure("bleu", "maximize", _for_bleu, _bleu),
    },
}
