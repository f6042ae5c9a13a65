"""Loads the data that a study describes."""

from __future__ import annotations

import functools
from pathlib import Path

from nettuner.models.data.dataset import Dataset
from nettuner.models.data.source import AnySource, Builtin, Csv, Idx, Numbers, Parallel

Stamp = tuple[str, int, int]


def load(source: AnySource) -> Dataset:
    """The dataset, read once in each process and again when a file has changed.

    Args:
        source: Its paths are absolute or relative to the working directory.

    Raises:
        FileNotFoundError: a file is not there.
        ValueError: the data break a rule, which the message names.
    """
    return _load(source, tuple(_stamp(path) for path in source.files))


def _stamp(path: str) -> Stamp:
    """Changes whenever the file does."""
    place = Path(path).absolute()
    if not place.is_file():
        raise FileNotFoundError(f"no file {path}; correct the path")
    facts = place.stat()
    return str(place), facts.st_mtime_ns, facts.st_size


@functools.lru_cache(maxsize=4)
def _load(source: AnySource, stamps: tuple[Stamp, ...]) -> Dataset:
    if isinstance(source, Builtin):
        from nettuner.models.data.builtin import load_builtin

        return load_builtin(source)
    if isinstance(source, Idx):
        from nettuner.models.data.idx import load_idx

        return load_idx(source)
    if isinstance(source, Parallel):
        from nettuner.models.data.parallel import load_parallel

        return load_parallel(source)
    if isinstance(source, Numbers):
        from nettuner.models.data.numbers_corpus import load_numbers

        return load_numbers(source)
    from nettuner.models.data.tables import load_csv, load_parquet

    return load_csv(source) if isinstance(source, Csv) else load_parquet(source)
