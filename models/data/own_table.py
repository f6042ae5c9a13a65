"""DataFrames of one's own, which become datasets as tables in files do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from nettuner.models.data.dataset import Dataset
from nettuner.models.data.source import Source, TaskKind
from nettuner.models.data.tables import find_target, table_dataset

Table = tuple[pd.DataFrame, str | int | None]


class Frames(Source):
    """Which of the splits have a DataFrame of their own."""

    source: str
    validation_path: str | None = None
    test_path: str | None = None

    @property
    def validation_share(self) -> float:
        """Share of the training rows that the search is judged on."""
        return self.validation if self.validation_path is None else 0.0

    @property
    def test_share(self) -> float:
        """Share of the training rows set aside for the test."""
        return self.test if self.test_path is None else 0.0


def own_table(
    tables: Sequence[Table | None],
    others: tuple[Any, Any],
    source: Source,
    task: TaskKind | None,
    marks: Mapping[str, str],
) -> Dataset:
    """The dataset in DataFrames.

    Without one for the test, a share of the training rows is set aside for it.

    Args:
        tables: Tables for training, validation and test with their targets; None for none.
        others: Validation and test data as they were given.
        source: Source: its shares and its split seed.
        task: Task; None guesses it from the target.
        marks: Facts to be recorded.

    Raises:
        ValueError: The data break a rule, which the message names.
    """
    train, validation, test = tables
    assert train is not None
    rows, target = train
    for given, table, name in zip(others, (validation, test), ("validation", "test"), strict=True):
        if given is not None and table is None:
            raise ValueError(
                f"{name} data must be a DataFrame where those for training are one, got "
                f"{type(given).__name__}; give all splits in one form"
            )
    if task not in (None, "classification", "regression"):
        raise ValueError(
            f"a DataFrame has one class or number to predict, got task {task!r}; return arrays or "
            "a Dataset"
        )
    shares = Frames(
        source="own",
        validation=source.validation,
        test=source.test,
        split_seed=source.split_seed,
        validation_path=None if validation is None else "the validation data",
        test_path=None if test is None else "the test data",
    )
    found = table_dataset(
        rows,
        find_target(list(rows.columns), -1 if target is None else target),
        shares,
        task,
        validation=None if validation is None else validation[0],
        test=None if test is None else test[0],
    )
    sizes = {
        "training": f"{len(found.train)} rows of a table",  # type: ignore[arg-type]
        "validation": f"{len(found.validation)} rows of a table",  # type: ignore[arg-type]
        "test": f"{len(found.test)} rows of a table",  # type: ignore[arg-type]
    }
    return replace(found, facts={**marks, **sizes})
