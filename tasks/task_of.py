"""What a study predicts."""

from __future__ import annotations

from models.data.load import load
from models.data.source import Csv, Parquet, TaskKind
from models.study import Study


def task_of(study: Study) -> TaskKind:
    """Classes, a number or a translation: as the study says, or as its data tell.

    Raises:
        ValueError: the study has no data.
        FileNotFoundError: its data are not there any more.
    """
    source = study.data
    if source is None:
        raise ValueError(
            f"a function brings its own data and has no model, got the study {study.name!r}; "
            "give a learner and data"
        )
    if isinstance(source, Csv | Parquet) and source.task is not None:
        return source.task
    return load(source).task
