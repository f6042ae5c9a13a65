"""Images and their labels as a dataset."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nettuner.models.data import fingerprint
from nettuner.models.data.dataset import Dataset, Split, examples
from nettuner.models.data.labelled import Labelled
from nettuner.models.data.preprocessing import Label, Pixels, Preprocessing, listed
from nettuner.models.data.source import Source
from nettuner.models.data.split import split
from nettuner.models.data.target import as_classes

Images = tuple[NDArray[Any], NDArray[Any]]


def image_dataset(
    given: Images,
    source: Source,
    scale: float | None = None,
    *,
    validation: Images | None = None,
    test: Images | None = None,
) -> Dataset:
    """Split images, and scale their pixels to 0..1.

    Args:
        given: Images [rows, height, width] or [rows, height, width, colours], and labels [rows].
        source: Source: its shares and its split seed.
        scale: The pixel value that becomes 1; None takes the largest of the training images.
        validation, test: Published images and labels, used instead of a share of those given.

    Raises:
        ValueError: A class has too few images, a pixel is no finite number, or the published
            ones have another size or classes that the others lack.
    """
    published = [part for part in (validation, test) if part is not None]
    for pixels, _ in (given, *published):
        _check_finite(pixels)
    images, labels = given
    goal = as_classes(labels.tolist(), "labels", 3 - len(published))
    rows = split(
        len(images),
        source.validation if validation is None else 0.0,
        source.test if test is None else 0.0,
        source.split_seed,
        goal.values,
    )
    rows = source.folded(rows, goal.values)
    top = float(images[rows.train].max()) if scale is None else scale
    height, width, *colours = images.shape[1:]
    rule = Pixels(height, width, top or 1.0, colours[0] if colours else 1)
    preprocessing = Preprocessing(rule, goal.classes)

    raw = Labelled(images, goal.truth)

    def part(chosen: NDArray[np.int64]) -> Split:
        return Split(preprocessing.transform(images[chosen]), goal.values[chosen])

    return Dataset(
        part(rows.train),
        part(rows.validation)
        if validation is None
        else _published(validation, "validation", preprocessing),
        part(rows.test) if test is None else _published(test, "test", preprocessing),
        "classification",
        preprocessing.shape,
        goal.classes,
        preprocessing,
        images[rows.train[examples(len(rows.train))]],
        raw.at(rows.train),
        raw.at(rows.test) if test is None else Labelled(test[0], tuple(test[1].tolist())),
        fingerprint.of_arrays(*given, *(array for part in published for array in part)),
    )


def _check_finite(images: NDArray[Any]) -> None:
    most = np.finfo(np.float32).max
    wrong = ~(np.abs(images) <= most) if images.dtype.kind == "f" else np.zeros(1, dtype=bool)
    if wrong.any():
        raise ValueError(
            f"pixels must be finite numbers of at most {most:g}, got {images[wrong][0]:g} in image "
            f"{int(np.argwhere(wrong)[0, 0]) + 1}; correct or rescale them"
        )


def _published(given: Images, name: str, preprocessing: Preprocessing) -> Split:
    images, labels = given
    index: dict[Label, int] = {label: i for i, label in enumerate(preprocessing.classes)}
    unknown = sorted(set(labels.tolist()) - set(index))
    if unknown:
        raise ValueError(
            f"{name} labels must occur in training, got {listed(unknown)}; "
            f"training has: {listed(preprocessing.classes)}"
        )
    targets = np.array([index[label] for label in labels.tolist()], dtype=np.int64)
    return Split(preprocessing.transform(images), targets)
