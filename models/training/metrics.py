"""Metrics beyond those that a learner reports: those of scikit-learn, and a user's own.

They are computed from a learner's predictions for all rows of a split. scikit-learn takes seconds
to import, so nothing here imports it before one of its metrics is computed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nettuner.models import learners
from nettuner.models.data.source import TaskKind
from nettuner.models.did_you_mean import did_you_mean
from nettuner.models.learner import Learner
from nettuner.models.study import Direction, Study

Array = NDArray[Any]
Formula = Callable[[Array, Array], Any]

# Below so many classes the true one is always among the first five.
TOP = 5


@dataclass(frozen=True)
class Metric:
    """A metric of predictions.

    Args:
        name: Name, without the split in front of it.
        direction: Direction in which it gets better; None where the study gives it.
        formula: Function from predictions and targets, as of `Learner.predictions`, to a number.
    """

    name: str
    direction: Direction | None
    formula: Formula

    def of(self, predictions: Tensor, targets: Tensor) -> float:
        """The metric of one split; nan where predictions are not finite.

        Raises:
            TypeError: The function answers with something else than a number.
        """
        if not torch.isfinite(predictions).all():
            return float("nan")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a class that is missing in a split
            found = self.formula(predictions.numpy(), targets.numpy())
        try:
            return float(found)
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"the metric {self.name} must return a number, got {type(found).__name__}; "
                "return a float"
            ) from error


def balanced_accuracy(predictions: Array, targets: Array) -> float:
    """Mean share of right answers over the classes that occur."""
    from sklearn.metrics import balanced_accuracy_score

    return float(balanced_accuracy_score(targets, predictions.argmax(1)))


def macro_f1(predictions: Array, targets: Array) -> float:
    """Mean F1 of all classes, or of all labels, which apply above a probability of one half."""
    from sklearn.metrics import f1_score

    found = predictions > 0.5 if targets.ndim > 1 else predictions.argmax(1)
    return float(f1_score(targets, found, average="macro", zero_division=0))


def roc_auc(predictions: Array, targets: Array) -> float:
    """Area under the receiver operating characteristic, one class against the rest."""
    from sklearn.metrics import roc_auc_score

    return _over_classes(roc_auc_score, predictions, targets)


def average_precision(predictions: Array, targets: Array) -> float:
    """Average precision, one class against the rest."""
    from sklearn.metrics import average_precision_score

    return _over_classes(average_precision_score, predictions, targets)


def top5_accuracy(predictions: Array, targets: Array) -> float:
    """Share of rows whose class is among the five most probable ones."""
    from sklearn.metrics import top_k_accuracy_score

    classes = np.arange(predictions.shape[1])
    return float(top_k_accuracy_score(targets, predictions, k=TOP, labels=classes))


def mape(predictions: Array, targets: Array) -> float:
    """Mean absolute error as a share of the true value: 0.1 is 10 %."""
    from sklearn.metrics import mean_absolute_percentage_error

    return float(mean_absolute_percentage_error(targets, predictions))


def _over_classes(score: Callable[[Array, Array], float], found: Array, targets: Array) -> float:
    """Mean over the classes that occur and are not all there is; of two classes the second alone.

    nan where there is no such class.
    """
    classes = range(found.shape[1])
    if targets.ndim > 1:
        truth = targets > 0.5
    else:
        truth = targets[:, None] == np.arange(found.shape[1])
        classes = range(1, 2) if found.shape[1] == 2 else classes
    some = [c for c in classes if truth[:, c].any() and not truth[:, c].all()]
    return float(np.mean([score(truth[:, c], found[:, c]) for c in some])) if some else float("nan")


KNOWN: Mapping[TaskKind, Mapping[str, tuple[Direction, Formula]]] = {
    "classification": {
        "balanced_accuracy": ("maximize", balanced_accuracy),
        "macro_f1": ("maximize", macro_f1),
        "roc_auc": ("maximize", roc_auc),
        "average_precision": ("maximize", average_precision),
        "top5_accuracy": ("maximize", top5_accuracy),
    },
    "labels": {
        "macro_f1": ("maximize", macro_f1),
        "roc_auc": ("maximize", roc_auc),
        "average_precision": ("maximize", average_precision),
    },
    "regression": {"mape": ("minimize", mape)},
}


def known(learner: Learner) -> dict[str, Metric]:
    """The metrics of scikit-learn that can be computed for a learner, by name."""
    data = learner.data
    if type(learner).predictions is Learner.predictions:
        return {}
    if data.task == "classification" and data.target_shape:  # a class at each position
        return {}
    return {
        name: Metric(name, direction, formula)
        for name, (direction, formula) in KNOWN.get(data.task, {}).items()
        if name != "top5_accuracy" or data.outputs > TOP
    }


def asked_for(study: Study, learner: Learner) -> tuple[Metric, ...]:
    """The metrics that a study asks for beyond those that its learner reports.

    Raises:
        ValueError: One is not known, cannot be computed, or is given twice; the message says which.
    """
    possible = known(learner)
    found: dict[str, Metric] = {}
    for given in study.metrics:
        metric = _own(given, learner) if ":" in given else possible.get(given)
        if metric is None:
            hint = did_you_mean(given, possible)
            raise ValueError(
                f"{study.learner} has no {given!r} for these data; {hint}it has: "
                f"{', '.join(possible) or 'none'}; or your own: file.py:function"
            )
        if metric.name in learner.metrics or metric.name in found:
            raise ValueError(f"must be named once, got {metric.name} twice; drop or rename one")
        found[metric.name] = metric
    split, _, name = study.metric.partition("_")
    if split == "val" and name in possible and name not in learner.metrics:
        found.setdefault(name, possible[name])
    return tuple(found.values())


def _own(reference: str, learner: Learner) -> Metric:
    """A user's own function.

    Raises:
        ValueError: There is no such function, or it cannot be given predictions.
    """
    if type(learner).predictions is Learner.predictions:
        raise ValueError(
            f"is for learners with predictions, got {reference!r} for one without; define the "
            "method predictions, or report the metric in evaluate"
        )
    found = learners.find(reference)
    if isinstance(found, type):
        raise ValueError(
            f"must be a function f(predictions, targets), got the class {reference!r}; name a "
            "function"
        )
    return Metric(reference.rpartition(":")[2], None, cast("Formula", found))
