"""The task of a study: what it predicts."""

from __future__ import annotations

from nettuner.models.data.load import load
from nettuner.models.data.source import Source, TaskKind
from nettuner.models.data.table_source import TableSource


def task_of(source: Source) -> TaskKind:
    """Classification, regression or translation: as the study says, or else by its data.

    Raises:
        FileNotFoundError: The data do not exist any more.
    """
    if isinstance(source, TableSource) and source.task is not None:
        return source.task
    return load(source).task
