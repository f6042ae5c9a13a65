"""All uses of MLflow's internal interfaces, in one place.

- `is_absent`, `has_no_alias`, `exists`, `is_refusal`: its exceptions are told apart by protocol
  error codes.
- `log_pyfunc`: logs a model on a run through `Model.log`, because the fluent interface takes run
  and experiment from global state.
- `know_packages`: it looks through all installed packages when the first model is logged.
- `server_app`: the application of its server, which `mlflow server` runs in a process of its own.
- `Tables`: the tables of its database, as its client needs a transaction for every call, and
  several for a batch.
- `experiment_in_file`, `count_in_file`: an experiment in its database, and a tag of it that counts,
  as its client takes seconds to import.

MLflow is imported by what is called, not by this module.
`tests/tasks/memory/test_mlflow_private.py` fails if a release changes one of them.
"""

from __future__ import annotations

import os
import sqlite3
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from nettuner.tasks.memory.rest_reader import ABSENT, Experiment
from nettuner.tasks.memory.store import opening

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy import Connection, Table
    from starlette.types import ASGIApp

# Further codes of errors, as `ABSENT`.
EXISTS = "RESOURCE_ALREADY_EXISTS"
WRONG_STATE = "INVALID_STATE"
WRONG_VALUE = "INVALID_PARAMETER_VALUE"
FILE = "sqlite:///"
# Where MLflow keeps the experiments of several teams, its client is asked.
WORKSPACE = "MLFLOW_WORKSPACE"
COUNTED = "select value from experiment_tags where experiment_id = ? and key = ?"
COUNT = "insert or replace into experiment_tags (experiment_id, key, value) values (?, ?, ?)"
RUNS = "select count(*) from runs where experiment_id = ?"
WITH_TAG = " and run_uuid in (select run_uuid from tags where key = ? and value = ?)"
FIND = "select experiment_id, name, lifecycle_stage from experiments where name = ?"
# How long to wait for another process that writes to an SQLite file [ms].
BUSY_MILLISECONDS = 5000
# Most ids in one question.
MOST_IDS = 500
Row = dict[str, Any]


def server_app(store: str, artifacts: str) -> ASGIApp:
    """The application of MLflow's server; in a process of its own, for it reads the environment.

    Args:
        store: URI of the store.
        artifacts: Folder for the artifacts of experiments that are made in its pages.
    """
    os.environ |= {
        "_MLFLOW_SERVER_FILE_STORE": store,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": artifacts,
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SGI_NAME": "uvicorn",
    }
    from mlflow.server.fastapi_app import app
    from mlflow.server.handlers import initialize_backend_stores

    with opening():
        initialize_backend_stores(store, store, "mlflow-artifacts:/")
    return cast("ASGIApp", app)


def is_absent(error: MlflowException) -> bool:
    """Whether the model or version does not exist."""
    return bool(error.error_code == ABSENT)


def has_no_alias(error: MlflowException) -> bool:
    """Whether no version of the model has the alias."""
    return error.error_code == WRONG_VALUE and "alias" in str(error)


def exists(error: MlflowException) -> bool:
    """Whether the object to create exists already."""
    return bool(error.error_code == EXISTS)


def is_refusal(error: Exception) -> bool:
    """Whether a store will never take what it was given, as the run was deleted, say."""
    from mlflow.exceptions import MlflowException

    codes = (WRONG_VALUE, ABSENT, WRONG_STATE)
    return isinstance(error, MlflowException) and error.error_code in codes


def know_packages() -> None:
    """Look through all installed packages now instead of when the first model is logged."""
    from mlflow.utils import requirements_utils

    requirements_utils._init_modules_to_packages_map()  # type: ignore[no-untyped-call]


def log_pyfunc(
    mlflow: MlflowClient, experiment_id: str, run_id: str, name: str, **model: Any
) -> None:
    """Log a model on a run.

    Args:
        mlflow: MLflow client.
        experiment_id: Id of the run's experiment.
        run_id: Id of the run to log it on.
        name: Name of the model.
        model: Further arguments of `mlflow.pyfunc.log_model`.
    """
    from mlflow import pyfunc
    from mlflow.models import Model

    # Created here, as `Model.log` would take the experiment from global state.
    logged = mlflow.create_logged_model(
        experiment_id, name=name, source_run_id=run_id, model_type="winner"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Model.log(
            artifact_path=None,
            flavor=pyfunc,
            model_id=logged.model_id,
            run_id=run_id,
            **model,
        )


def experiment_in_file(store: str, name: str) -> Experiment | None:
    """The experiment in a store's SQLite file; None where its client has to be asked.

    Args:
        store: URI of the store.
        name: Name of the experiment.
    """
    address = _file_of(store, "ro")
    if address is None:
        return None
    try:
        with closing(sqlite3.connect(address, uri=True)) as file:
            found = file.execute(FIND, (name,)).fetchall()
    except sqlite3.Error:  # it is no store so far, or of another version
        return None
    return Experiment(*map(str, found[0])) if len(found) == 1 else None


def count_in_file(
    store: str, experiment: str, counter: str, counted: Mapping[str, str]
) -> int | None:
    """Add one to a tag of an experiment in a store's SQLite file, whoever else does so now.

    Args:
        store: URI of the store.
        experiment: Id of the experiment.
        counter: Name of the tag; where there is none so far, the runs that it counts are counted.
        counted: Tags of these runs, also of those that are deleted.

    Returns:
        What the tag has now; None where the store's client has to be asked.
    """
    address = _file_of(store, "rw")
    if address is None:
        return None
    pairs = [part for pair in counted.items() for part in pair]
    try:
        with closing(
            sqlite3.connect(
                address, uri=True, timeout=BUSY_MILLISECONDS / 1000, isolation_level=None
            )
        ) as file:
            file.execute("begin immediate")
            known = file.execute(COUNTED, (experiment, counter)).fetchone()
            if known is None:
                known = file.execute(
                    RUNS + WITH_TAG * len(counted), (experiment, *pairs)
                ).fetchone()
            number = int(known[0]) + 1
            file.execute(COUNT, (experiment, counter, str(number)))
            file.execute("commit")
    except sqlite3.Error:  # it is of another version, or busy
        return None
    return number


def _file_of(store: str, mode: str) -> str | None:
    """Address of a store's SQLite file; None where it is none, or has to be left to the client."""
    path = Path(store.removeprefix(FILE))
    if not store.startswith(FILE) or os.environ.get(WORKSPACE) or not path.is_file():
        return None
    return f"file:{quote(str(path))}?mode={mode}"


class Tables:
    """The tables of a client's SQLite or PostgreSQL database."""

    def __init__(self, mlflow: MlflowClient) -> None:
        self._engine = mlflow._tracking_client.store.engine

    @staticmethod
    def run(run_id: str, experiment: str, location: str, name: str, began: int) -> Row:
        """The row of a run that begins.

        Args:
            run_id: Its id.
            experiment: Id of its experiment.
            location: URI of the experiment's artifacts.
            name: Its name.
            began: Time, milliseconds since 1970.
        """
        from mlflow.utils.uri import append_to_uri_path

        return {
            "run_uuid": run_id,
            "name": name,
            "source_type": "UNKNOWN",
            "source_name": "",
            "entry_point_name": "",
            "user_id": "unknown",
            "status": "RUNNING",
            "start_time": began,
            "end_time": None,
            "deleted_time": None,
            "source_version": "",
            "lifecycle_stage": "active",
            "artifact_uri": append_to_uri_path(  # type: ignore[no-untyped-call]
                location, run_id, "artifacts"
            ),
            "experiment_id": int(experiment),
        }

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """All that is written while the block runs, or nothing of it."""
        with self._engine.connect() as connection:
            if self._engine.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA foreign_keys = ON")
                connection.exec_driver_sql(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
            yield Transaction(connection)
            connection.commit()


class Transaction:
    """Writes rows; those that are there already change nothing."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add_runs(self, rows: Sequence[Row]) -> None:
        """Add runs."""
        self._add("SqlRun", rows)

    def known(self, run_ids: Collection[str]) -> set[str]:
        """Those of some runs that exist."""
        from sqlalchemy import select

        ids, wanted = _table("SqlRun").c.run_uuid, sorted(run_ids)
        found: set[str] = set()
        for first in range(0, len(wanted), MOST_IDS):
            some = select(ids).where(ids.in_(wanted[first : first + MOST_IDS]))
            found.update(self._connection.scalars(some))
        return found

    def set_tags(self, rows: Sequence[Row]) -> None:
        """Set tags, in place of those of the same name."""
        if rows:
            new = self._insert("SqlTag")
            given = new.excluded.value
            changed = new.on_conflict_do_update(
                index_elements=_key("SqlTag"), set_={"value": given}
            )
            self._connection.execute(changed, rows)

    def add_params(self, rows: Sequence[Row]) -> None:
        """Add params."""
        self._add("SqlParam", rows)

    def add_metrics(self, rows: Sequence[Row]) -> None:
        """Add points of metrics."""
        self._add("SqlMetric", rows)

    def set_latest(self, rows: Sequence[Row]) -> None:
        """Set the points that are shown for metrics, unless later ones are there."""
        from sqlalchemy import tuple_

        if not rows:
            return
        new, old = self._insert("SqlLatestMetric"), _table("SqlLatestMetric").c
        given = new.excluded
        later = tuple_(given.step, given.timestamp, given.value) > tuple_(
            old.step, old.timestamp, old.value
        )
        values = {name: given[name] for name in ("value", "timestamp", "step", "is_nan")}
        changed = new.on_conflict_do_update(
            index_elements=_key("SqlLatestMetric"), set_=values, where=later
        )
        self._connection.execute(changed, rows)

    def end_runs(self, rows: Sequence[Row]) -> None:
        """Set status and end of runs; a row names its run `ended`."""
        from sqlalchemy import bindparam

        if rows:
            runs = _table("SqlRun")
            values: Row = {name: bindparam(name) for name in ("status", "end_time")}
            named = runs.c.run_uuid == bindparam("ended")
            self._connection.execute(runs.update().where(named).values(values), rows)

    def _add(self, model: str, rows: Sequence[Row]) -> None:
        if rows:
            self._connection.execute(self._insert(model).on_conflict_do_nothing(), rows)

    def _insert(self, model: str) -> Any:
        """An insertion that can say what to do where a row exists, in the database's dialect."""
        from sqlalchemy.dialects import postgresql, sqlite

        dialect = sqlite if self._connection.dialect.name == "sqlite" else postgresql
        return dialect.insert(_table(model))


def _table(model: str) -> Table:
    from mlflow.store.tracking.dbmodels import models

    found: Table = getattr(models, model).__table__
    return found


def _key(model: str) -> list[str]:
    return [column.name for column in _table(model).primary_key]
