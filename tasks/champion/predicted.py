"""What a study predicts."""

from __future__ import annotations

from nettuner.models.data.load import load
from nettuner.models.data.source import AnySource, Csv, Parquet, TaskKind


def task_of(source: AnySource) -> TaskKind:
    """Classes, a number or a translation: as the study says, or as its data tell.

    Raises:
        FileNotFoundError: the data are not there any more.
    """
    if isinstance(source, Csv | Parquet) and source.task is not None:
        return source.task
    return load(source).task
