"""Writes events to a store: into its tables where they are at hand, else by calls."""

from __future__ import annotations

import re
import sys
import uuid
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from nettuner.models.by_name import ByName
from nettuner.tasks.memory.events import DATA, IMAGE, TEXT, Event
from nettuner.tasks.memory.store import open_client
from nettuner.tasks.workers.places import STORE
from nettuner.tasks.workers.pool import InterruptedSearchError, Pool, TrialFailedError

if TYPE_CHECKING:
    from mlflow import MlflowClient

# What the name of an image may not have.
FORBIDDEN = re.compile(r"[^a-zA-Z0-9_./ -]")
# Databases whose tables are written to; others are asked through MLflow.
TABLES = ("sqlite:", "postgresql:", "postgresql+")


class Writer(Protocol):
    """Writes events; what it has written already, it may be given once more."""

    def write(self, events: Sequence[Event]) -> None:
        """Write events, in order."""


def has_tables(store: str) -> bool:
    """Whether the tables of a store are written to."""
    return store.startswith(TABLES)


def writer_to(mlflow: MlflowClient) -> Writer:
    """The writer for a client's store."""
    if has_tables(mlflow.tracking_uri):
        from nettuner.tasks.memory.table_writer import TableWriter

        return TableWriter(mlflow)
    from nettuner.tasks.memory.call_writer import CallWriter

    return CallWriter(mlflow)


WRITE = ByName("nettuner.tasks.memory.writer", "write_here")


class WorkerWriter:
    """Writes in a worker process, which may have MLflow imported, unless this one has.

    If that does not work it writes here.

    Args:
        pool: Workers of the search.
        mlflow: MLflow client of a store whose tables are written to.
    """

    def __init__(self, pool: Pool, mlflow: MlflowClient) -> None:
        self._pool = pool
        self._mlflow = mlflow

    @cached_property
    def _here(self) -> Writer:
        return writer_to(self._mlflow)

    def write(self, events: Sequence[Event]) -> None:
        """Write events; what is wrong with them or with the store is raised here."""
        if "mlflow" in sys.modules:
            self._here.write(events)
            return
        try:
            self._pool.run(WRITE, self._mlflow.tracking_uri, list(events), place=STORE)
        except (TrialFailedError, InterruptedSearchError):
            self._here.write(events)


def write_here(store: str, events: Sequence[Event]) -> None:
    """Write events in this process."""
    _writer(store).write(events)


@lru_cache(maxsize=1)
def _writer(store: str) -> Writer:
    return writer_to(open_client(store))


def new_run(mlflow: MlflowClient, experiment_id: str, name: str, tags: Mapping[str, str]) -> str:
    """Id of a run that is about to begin.

    In tables it is chosen here, as MLflow would, without any import; else a call makes the run.
    """
    if has_tables(mlflow.tracking_uri):
        return uuid.uuid4().hex
    return str(mlflow.create_run(experiment_id, tags=dict(tags), run_name=name).info.run_id)


def write_artifacts(mlflow: MlflowClient, events: Sequence[Event]) -> None:
    """Write the texts, images and data among some events."""
    for event in events:
        if event["do"] == DATA:
            _write_data(mlflow, event)
        elif event["do"] == TEXT:
            mlflow.log_text(event["run"], event["text"], event["name"])
        elif event["do"] == IMAGE:
            _write_image(mlflow, event)


def _write_data(mlflow: MlflowClient, event: Event) -> None:
    from mlflow.entities import Dataset, DatasetInput  # it is imported by now

    told = [event.get(part) or None for part in ("schema", "profile")]  # older events have none
    data = Dataset(event["name"], event["digest"], "local", event["name"], *told)
    mlflow.log_inputs(event["run"], [DatasetInput(data)])


def _write_image(mlflow: MlflowClient, event: Event) -> None:
    file = Path(event["file"])
    if not file.exists():  # it was written before
        return
    image = np.load(file, allow_pickle=False)
    told = {
        "key": FORBIDDEN.sub("_", event["key"]),
        "step": event["step"],
        "timestamp": event["at"],
    }
    mlflow.log_image(event["run"], image, synchronous=True, **told)
    file.unlink()
