"""DataFrames of one's own, which become datasets as tables in files do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from nettuner.models.data.answer import Answer, as_table
from nettuner.models.data.dataset import Dataset, held
from nettuner.models.data.source import Source, TaskKind
from nettuner.models.data.tables import Tables, find_target, table_dataset


def own_table(
    answer: Answer,
    target: str | int | None,
    source: Source,
    task: TaskKind | None,
    marks: Mapping[str, str],
) -> Dataset | None:
    """The dataset in DataFrames; None if there are none.

    Without one for the test, a share of the training rows is set aside for it.

    Args:
        answer: Answer of the function.
        target: Name or position of the target; None takes the last column.
        source: Source: its shares and its split seed.
        task: Task; None guesses it from the target.
        marks: Facts to be recorded.

    Raises:
        ValueError: The data break a rule, which the message names.
    """
    tables = own_tables(answer, target)
    if tables is None:
        return None
    if task not in (None, "classification", "regression"):
        raise ValueError(
            f"a DataFrame has one class or number to predict, got task {task!r}; return arrays or "
            "a Dataset"
        )
    found = table_dataset(tables, source, task)
    parts = {"training": found.train, "validation": found.validation, "test": found.test}
    sizes = {name: f"{len(held(part))} rows of a table" for name, part in parts.items() if part}
    return replace(found, facts={**marks, **sizes})


def own_tables(answer: Answer, target: str | int | None) -> Tables | None:
    """The DataFrames of an answer; None if there are none.

    Raises:
        ValueError: Some splits are DataFrames and others are not, or there is no such target.
    """
    given = (answer.train, answer.validation, answer.test)
    train, validation, test = (as_table(part, target) for part in given)
    if train is None:
        return None
    for part, table, name in zip(
        given[1:], (validation, test), ("validation", "test"), strict=True
    ):
        if part is not None and table is None:
            raise ValueError(
                f"{name} data must be a DataFrame where those for training are one, got "
                f"{type(part).__name__}; give all splits in one form"
            )
    rows, found = train
    return Tables(
        rows,
        find_target(list(rows.columns), -1 if found is None else found),
        validation=None if validation is None else validation[0],
        test=None if test is None else test[0],
    )
