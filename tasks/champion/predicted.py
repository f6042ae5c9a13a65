"""What a study predicts."""

from __future__ import annotations

from nettuner.models.data.load import load
from nettuner.models.data.source import Source, TableSource, TaskKind


def task_of(source: Source) -> TaskKind:
    """Classes, a number or a translation: as the study says, or as its data tell.

    Raises:
        FileNotFoundError: the data are not there any more.
    """
    if isinstance(source, TableSource) and source.task is not None:
        return source.task
    return load(source).task
