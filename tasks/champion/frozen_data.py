"""Data frozen for a retuning: rows to search on, and rows for the comparison alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from nettuner.models.data import fingerprint
from nettuner.models.data.columns import nameless, without
from nettuner.models.data.labelled import Labelled
from nettuner.models.data.load import load
from nettuner.models.data.source import Source, TaskKind
from nettuner.models.data.sources.parquet import Parquet
from nettuner.models.data.table_source import TableSource
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
        study: Study with its data replaced by a file of the rows to search on.
        task: Task: classification or regression.
        aside: Rows set aside for the comparison.
        reference: Histograms of the training rows, for later drift checks.
        fingerprint: Fingerprint of the rows to search on.
    """

    study: Study
    task: TaskKind
    aside: Labelled
    reference: Reference
    fingerprint: str


def freeze(study: Study, incoming: Incoming, share: float, task: TaskKind) -> FrozenData:
    """Set rows aside, and write both parts to files, so that later reads agree.

    Args:
        study: Study to be searched again.
        incoming: Rows from production.
        share: Share of the rows to be set aside.
        task: Task: classification or regression.

    Raises:
        ValueError: Too few rows have a true answer.
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
    # A file from production may have row numbers in front; no network learns from them.
    opened = without(divided.open, nameless(divided.open))
    mark = fingerprint.of_table(opened, incoming.target)
    folder = home() / "data" / study.name / mark
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (("open", opened), ("aside", divided.aside)):
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
        **_read_as(given, set(opened.columns)),
    )
    changed = study.model_copy(update={"data": source})
    dataset = load(source)
    assert dataset.raw_train is not None
    trained = dataset.raw_train.rows
    assert isinstance(trained, pd.DataFrame)
    return FrozenData(
        changed,
        task,
        as_labelled(divided.aside, incoming.target),
        reference(trained),
        dataset.fingerprint,
    )


def _read_as(given: Source, there: set[str]) -> dict[str, Any]:
    """Which columns divide the rows and which are no inputs, as far as they are there."""
    if not isinstance(given, TableSource):
        return {}
    return {
        "split_by": given.split_by if given.split_by in there else None,
        "split_by_time": given.split_by_time if given.split_by_time in there else None,
        "drop": tuple(name for name in given.drop if name in there),
        "missing": given.missing,
    }


def _write(rows: pd.DataFrame, path: object) -> None:
    """Write rows; columns of mixed types, which Parquet does not support, become text."""
    plain = {
        name: rows[name].map(lambda value: None if value is None else str(value))
        if rows[name].dtype == object
        else rows[name]
        for name in rows.columns
    }
    pd.DataFrame(plain).to_parquet(str(path))
