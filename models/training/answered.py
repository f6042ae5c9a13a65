"""Asks the winner for its answers to the test rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from nettuner.models.answers import Answered, Classes, Numbers
from nettuner.models.data.dataset import Dataset
from nettuner.models.learner import Learner, Networks
from nettuner.models.training.batches import evaluated, readable

# Rows of numbers that are kept, evenly spaced; classes beyond which no matrix can be read.
MOST_ROWS, MOST_CLASSES = 500, 40


def answered(learner: Learner, networks: Networks, dataset: Dataset) -> Answered | None:
    """What networks answer to the test rows.

    Returns:
        None where there are no test rows, where a row has not one class or one number, where there
        are too many classes, or where the learner has no predictions.
    """
    kinds = {"classification": _classes, "regression": _numbers}
    if dataset.test is None or dataset.target_shape or dataset.task not in kinds:
        return None
    if dataset.task == "classification" and not 1 < dataset.outputs <= MOST_CLASSES:
        return None
    split = readable(dataset.test)
    batches = [split] if isinstance(split, tuple) else evaluated(split, ())
    try:
        with torch.no_grad():
            pairs = [(learner.predictions(networks, i), learner.truth(t)) for i, t in batches]
    except NotImplementedError:
        return None
    predictions, truth = (torch.cat(of).cpu().numpy() for of in zip(*pairs, strict=True))
    return kinds[dataset.task](dataset, predictions, truth)


def _classes(dataset: Dataset, predictions: Any, truth: Any) -> Answered:
    count = dataset.outputs
    places = truth.astype(np.int64) * count + predictions.argmax(1)
    counts = np.bincount(places, minlength=count * count).reshape(count, count)
    labels = [str(label) for label in dataset.classes or range(count)]
    return Classes(labels, counts.tolist())


def _numbers(dataset: Dataset, predictions: Any, truth: Any) -> Answered:
    rows = np.unique(np.linspace(0, len(truth) - 1, MOST_ROWS).astype(np.int64))
    both = (np.asarray(of, dtype=np.float64).reshape(-1)[rows] for of in (truth, predictions))
    return Numbers(*(of.tolist() for of in both))
