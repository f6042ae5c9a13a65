"""FrozenData data frozen for a retuning: what is searched on, and what only the gate sees."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from nettuner.models.data import fingerprint
from nettuner.models.data.labelled import Labelled
from nettuner.models.data.load import load
from nettuner.models.data.source import TaskKind
from nettuner.models.data.sources.parquet import Parquet
from nettuner.models.production.drift import Reference, reference
from nettuner.models.production.incoming import Incoming, as_labelled
from nettuner.models.production.set_aside import set_aside
from nettuner.models.production.verdict import FEWEST_ROWS
from nettuner.models.study import Study
from nettuner.tasks.home import home

FEWEST_TO_SEARCH = 20


@dataclass(frozen=True, eq=False)
class FrozenData:
    """A study on fresh data.

    Args:
        study: The same study with these data, which are a file from now on.
        task: Task: classification or regression.
        aside: Rows that neither the search nor the training sees.
        reference: Reference of the training rows, for later checks of drift.
    """

    study: Study
    task: TaskKind
    aside: Labelled
    reference: Reference


def freeze(study: Study, incoming: Incoming, share: float, task: TaskKind) -> FrozenData:
    """Set rows aside, and write the others down, so that everybody reads the same ones.

    Args:
        study: Study to be searched again.
        incoming: Rows as they came.
        share: Share of the rows to be set aside.
        task: Task: classification or regression.

    Raises:
        ValueError: too few rows have a true answer.
    """
    divided = set_aside(incoming.labelled, share)
    for rows, least, what in (
        (divided.open, FEWEST_TO_SEARCH, "to search on"),
        (divided.aside, FEWEST_ROWS, "set aside for the comparison"),
    ):
        if len(rows) < least:
            raise ValueError(
                f"a retuning needs at least {least} labelled rows {what}, got {len(rows)} of "
                f"{len(incoming.labelled)} in {', '.join(incoming.names)}; "
                "wait for more or take more files"
            )
    mark = fingerprint.of_table(divided.open, incoming.target)
    folder = home() / "data" / study.name / mark
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (("open", divided.open), ("aside", divided.aside)):
        _write(rows, folder / f"{name}.parquet")
    given = study.data
    assert given is not None
    source = Parquet(
        source="parquet",
        path=str(folder / "open.parquet"),
        target=incoming.target,
        task=task if task != "translation" else None,
        validation=given.validation,
        test=given.test,
        split_seed=given.split_seed,
    )
    changed = study.model_copy(update={"data": source})
    trained = load(source).raw_train.rows
    assert isinstance(trained, pd.DataFrame)
    return FrozenData(
        changed, task, as_labelled(divided.aside, incoming.target), reference(trained)
    )


def _write(rows: pd.DataFrame, path: object) -> None:
    """Columns of several types, which Parquet does not take, become text."""
    plain = {
        name: rows[name].map(lambda value: None if value is None else str(value))
        if rows[name].dtype == object
        else rows[name]
        for name in rows.columns
    }
    pd.DataFrame(plain).to_parquet(str(path))
