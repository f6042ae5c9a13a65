"""The MLflow experiment of a study, found, or made by who can do so soonest."""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from nettuner.models.by_name import ByName
from nettuner.models.study import Goal, Study
from nettuner.tasks.home import home, tracking_uri
from nettuner.tasks.memory import tags as names
from nettuner.tasks.memory.reader import reader
from nettuner.tasks.memory.rest_reader import Experiment
from nettuner.tasks.memory.store import find_experiment
from nettuner.tasks.memory.writer import has_tables
from nettuner.tasks.workers.pool import Pool, TrialFailedError

if TYPE_CHECKING:
    from mlflow import MlflowClient

MAKE = ByName("nettuner.tasks.memory.experiment", "make_there")
FILE = "sqlite:///"
# Where MLflow keeps the experiments of several teams, its client is asked.
WORKSPACE = "MLFLOW_WORKSPACE"
FIND = "select experiment_id, name, lifecycle_stage from experiments where name = ?"


def experiment_of(mlflow: MlflowClient, study: Study, goal: Goal, pool: Pool | None = None) -> str:
    """Id of the study's experiment, which is made if there is none.

    MLflow's client, which takes seconds to import, is used in a worker where that is possible.

    Args:
        mlflow: MLflow client.
        study: Study.
        goal: Metric and direction.
        pool: Workers, one of which can import MLflow in place of this process; None for none.

    Raises:
        ValueError: It was deleted.
    """
    known = _in_file(mlflow.tracking_uri, study.name)
    elsewhere = pool is not None and has_tables(mlflow.tracking_uri) and "mlflow" not in sys.modules
    if known is None and pool is not None and elsewhere:
        try:
            return str(pool.run(MAKE, mlflow.tracking_uri, study, goal))
        except TrialFailedError:  # it is said, or done, here
            pass
    return make(mlflow, study, goal, known)


def make_there(store: str, study: Study, goal: Goal) -> str:
    """The same in a worker."""
    from mlflow import MlflowClient

    return make(MlflowClient(store), study, goal)


def make(mlflow: MlflowClient, study: Study, goal: Goal, found: Experiment | None = None) -> str:
    """Id of the study's experiment, made by MLflow's client unless it was found.

    Raises:
        ValueError: It was deleted.
    """
    quick = reader() if mlflow.tracking_uri == tracking_uri() else mlflow
    known = found or quick.get_experiment_by_name(study.name)
    if known is not None and known.lifecycle_stage == "deleted":
        raise ValueError(
            f"the experiment {study.name!r} was deleted in MLflow; restore it there "
            "or give the study another name"
        )
    if known is not None:
        return str(known.experiment_id)
    local = tracking_uri().startswith("sqlite")
    folder = home() / "artifacts" / study.name
    note = (
        f"Study **{study.name}**: `{Path(study.learner).name}`, {goal.direction} `{goal.metric}`. "
        "One parent run a search, one child run a trial."
    )
    try:
        return str(
            mlflow.create_experiment(
                study.name,
                artifact_location=folder.as_uri() if local else None,
                tags={names.NOTE: note, names.KIND: "study", **names.SHOWN_AS_TRAINING},
            )
        )
    except Exception:  # another search of the study created it first
        there = find_experiment(mlflow, study.name)
        if there is None:
            raise
        return str(there.experiment_id)


def _in_file(store: str, name: str) -> Experiment | None:
    """The experiment in a store's SQLite file; None where its client has to be asked."""
    path = Path(store.removeprefix(FILE))
    if not store.startswith(FILE) or os.environ.get(WORKSPACE) or not path.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as file:
            found = file.execute(FIND, (name,)).fetchall()
    except sqlite3.Error:  # it is no store so far, or of another version
        return None
    return Experiment(*map(str, found[0])) if len(found) == 1 else None
