"""The champion watched in production: measured on the newest data, its degradation told."""

from __future__ import annotations

from typing import Annotated

from prefect import State, flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from pydantic import Field

from nettuner.flows.prefect_runs.events import DEGRADED, tell
from nettuner.flows.prefect_runs.naming import after_the_study
from nettuner.flows.prefect_runs.outcome import ended
from nettuner.flows.prefect_runs.overdue import superseded
from nettuner.models.data.source import Source
from nettuner.models.production.drift import LIMIT
from nettuner.models.production.incoming import NoDataError
from nettuner.models.study import Study
from nettuner.tasks.champion import registry
from nettuner.tasks.champion.incoming import DatabaseGiven, incoming_rows
from nettuner.tasks.champion.monitoring import Check, Limits, check, note_failure
from nettuner.tasks.champion.predicted import task_of
from nettuner.tasks.memory import store
from nettuner.tasks.named_study import with_data

NO_CHAMPION = "no champion"

Least = Annotated[int, Field(ge=1)]


@flow(name="monitor", flow_run_name=after_the_study)
def monitor(
    study: str,
    data: str,
    database: DatabaseGiven | None = None,
    newest: Least = 1,
    in_a_row: Least = 3,
    drift: Annotated[float, Field(gt=0)] = LIMIT,
    rows: Least = 50,
) -> Check | State[Check]:
    """Measure the champion of a study on the newest data and compare with its promotion.

    Its metric has to stay within the threshold recorded when it was promoted, its input columns
    near the distributions that it was trained on. If `in_a_row` checks find otherwise, an event
    is emitted, on which an automation starts a retuning.

    What cannot be judged is said: no champion, no data, no new data, too few rows or labels.
    Columns that are missing or changed make the run fail.

    Args:
        study: A YAML file (absolute, or relative to the working directory or to NETTUNER_HOME),
            or the name of a study that was searched before.
        data: Labelled rows that arrive: a file or a pattern (`in/*.csv`), relative to
            NETTUNER_HOME; or, with `database`, an SQL query.
        database: SQLAlchemy's address of the database, where `data` is a query; `${NAME}` in the
            place of its password, which is in the environment variable NAME.
        newest: Number of files to read of those that match, the newest.
        in_a_row: Checks in a row that must be degraded to raise the alarm.
        drift: The population stability index that a column may reach; above 0.25 is usually
            called a large shift.
        rows: Fewer labelled rows than this say nothing.
    """
    late = superseded()
    if late is not None:
        return ended("stale", late, Check("stale", late))
    searched, source = with_data(study)
    found = _checked(searched.name, source, (data, database, newest), Limits(drift, rows))
    _tell(searched, found)
    if found.breaches >= in_a_row and found.outcome == "degraded":
        _alarm(searched, found, study, data, database, newest)
    return ended(found.outcome, found.message, found)


def _checked(
    study: str, source: Source, where: tuple[str, str | None, int], limits: Limits
) -> Check:
    client = store.client()
    version = registry.champion(client, study)
    if version is None:
        return Check(NO_CHAMPION, f"{study} has none yet; nettuner promote {study}")
    data, database, newest = where
    try:
        incoming = incoming_rows(data, source, database, newest)
    except NoDataError as error:
        note_failure(client, version, str(error))
        return Check("no data", str(error), version.number)
    try:
        return check(client, version, task_of(source), incoming, limits)
    except ValueError as error:
        note_failure(client, version, str(error))
        raise


def _tell(study: Study, found: Check) -> None:
    get_run_logger().info("%s: %s", found.outcome, found.message)
    create_markdown_artifact(
        f"**{found.outcome}**: {found.message}.\n\n"
        + (f"[Its course in MLflow]({found.url})" if found.url else ""),
        key=f"monitor-{study.name.lower().replace('_', '-').replace('.', '-')}",
        description=f"{study.name}: the champion in production",
    )


def _alarm(
    study: Study, found: Check, named_as: str, data: str, database: str | None, newest: int
) -> None:
    """Tell whoever listens, with all that a retuning needs to know."""
    tell(
        DEGRADED,
        study.name,
        {
            "study": named_as,
            "data": data,
            "database": database,
            "newest": newest,
            "version": found.version,
            "metric": found.metric,
            "value": found.value,
            "threshold": found.threshold,
            "drifted": found.drifted,
            "breaches": found.breaches,
            "reason": f"version {found.version} degraded {found.breaches} times in a row: "
            f"{found.message}",
        },
    )
    get_run_logger().warning("emitted %s", DEGRADED)
