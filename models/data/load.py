"""Loads the data that a study describes."""

from __future__ import annotations

import functools
from pathlib import Path

from nettuner.models.data.dataset import Dataset
from nettuner.models.data.source import Source

Stamp = tuple[str, int, int]


def load(source: Source) -> Dataset:
    """The dataset, read once in each process and again when a file has changed.

    Args:
        source: Source; its paths are absolute, or relative to the working directory.

    Raises:
        FileNotFoundError: A file is not there.
        ValueError: The data break a rule, which the message names.
    """
    return _load(source, tuple(_stamp(path) for path in source.files))


def _stamp(path: str) -> Stamp:
    """Changes whenever the file does."""
    place = Path(path).absolute()
    if not place.is_file():
        raise FileNotFoundError(f"no file {path}; correct the path")
    facts = place.stat()
    return str(place), facts.st_mtime_ns, facts.st_size


# Datasets that a process holds: those of a study's folds, which come in turn.
MOST_HELD = 10


@functools.lru_cache(maxsize=MOST_HELD)
def _load(source: Source, stamps: tuple[Stamp, ...]) -> Dataset:
    return source.load()
