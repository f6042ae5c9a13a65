"""Monitoring: the champion's metric on the newest data, against its threshold, and drift."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from nettuner.models.data import fingerprint
from nettuner.models.data.source import TaskKind
from nettuner.models.production.drift import Drift, Reference, drifts
from nettuner.models.production.incoming import Incoming
from nettuner.models.production.served_metrics import measure
from nettuner.tasks.champion.ask_model import answers
from nettuner.tasks.champion.compare import REFERENCE
from nettuner.tasks.memory import store
from nettuner.tasks.memory import tags as names
from nettuner.tasks.memory.call_writer import send
from nettuner.tasks.memory.metrics import finite_metrics

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

    from nettuner.tasks.champion.versions import Version

KIND = "monitoring"
# Most drifted columns named in a message.
NAMED = 5


@dataclass(frozen=True)
class Limits:
    """Limits of a check.

    Args:
        drift: Largest population stability index of a column that is not called degraded.
        rows: Fewest rows for a check.
    """

    drift: float
    rows: int


@dataclass(frozen=True)
class Check:
    """The result of a check.

    Args:
        outcome: Outcome: `fine`, `degraded`, or why there is none: `no champion`, `no data`,
            `no new data`, `too few rows`, `no labels`, `stale`.
        message: Outcome, in a sentence.
        version: Version of the champion; None without one.
        metric: Name of the metric, without `val_`; empty where it was not measured.
        value: Metric of the champion; None where it was not measured.
        threshold: Threshold that was recorded at its promotion.
        drifted: Names of the columns that have drifted, worst first.
        breaches: Number of degraded checks in a row.
        url: Address of the run that holds all checks.
    """

    outcome: str
    message: str
    version: int | None = None
    metric: str = ""
    value: float | None = None
    threshold: float | None = None
    drifted: list[str] = field(default_factory=list)
    breaches: int = 0
    url: str = ""


def check(
    mlflow: MlflowClient, version: Version, task: TaskKind, incoming: Incoming, limits: Limits
) -> Check:
    """Measure the champion on the incoming rows, and record it.

    Data that the previous check has seen are not checked again; they leave the count of breaches
    unchanged.

    Args:
        mlflow: MLflow client.
        version: Version that is the champion.
        task: Task: classification, regression or translation.
        incoming: Rows from production.
        limits: Limits of the check.

    Raises:
        ValueError: Columns are missing, or the model rejects the rows.
    """
    course = _course(mlflow, version)
    mark = fingerprint.of_table(incoming.table, incoming.target)
    breaches = int(course.data.tags.get(names.BREACHES, 0))
    url = store.run_url(course.info.experiment_id, course.info.run_id)
    nothing = _says_nothing(course, incoming, mark, limits)
    if nothing is not None:
        outcome, message = nothing
        mlflow.set_tag(course.info.run_id, names.LATEST, f"{outcome}: {message}")
        return Check(outcome, message, version.number, breaches=breaches, url=url)
    shifted = _drifts(mlflow, version, incoming)
    drifted = [drift for drift in shifted if drift.exceeds(limits.drift)]
    metric, threshold = version.tags[names.METRIC], float(version.tags[names.THRESHOLD])
    value = _value(version, task, metric, incoming, limits)
    worse = value is not None and _worse(version, value, threshold)
    breaches = breaches + 1 if worse or drifted else breaches if value is None else 0
    found = Check(
        "degraded" if worse or drifted else "no labels" if value is None else "fine",
        _message(metric, value, threshold, worse, drifted, len(shifted)),
        version.number,
        metric,
        value,
        threshold,
        [drift.column for drift in drifted],
        breaches,
        url,
    )
    _record(mlflow, course, found, shifted, len(incoming.table), mark)
    return found


def _says_nothing(
    course: Run, incoming: Incoming, mark: str, limits: Limits
) -> tuple[str, str] | None:
    """Why the data cannot be checked, as outcome and message; None if they can."""
    if course.data.tags.get(names.SEEN) == mark:
        return "no new data", f"{', '.join(incoming.names)} was checked before"
    if len(incoming.table) < limits.rows:
        few = f"{len(incoming.table)} rows are too few to judge by, {limits.rows} are needed"
        return "too few rows", few
    return None


def note_failure(mlflow: MlflowClient, version: Version, reason: str) -> None:
    """Record in the champion's monitoring run that a check could not be made."""
    course = _course(mlflow, version)
    mlflow.set_tag(course.info.run_id, names.LATEST, f"could not be made: {reason}"[:5000])


def _course(mlflow: MlflowClient, version: Version) -> Run:
    """The monitoring run of a champion, which holds all checks; the first check creates it."""
    experiment = store.find_experiment(mlflow, version.study)
    assert experiment is not None  # its model was logged there
    condition = (
        f"tags.`{names.KIND}` = '{KIND}' and tags.`{names.CHAMPION_VERSION}` = '{version.number}'"
    )
    known = mlflow.search_runs([experiment.experiment_id], condition, max_results=1)
    if known:
        return known[0]
    note = (
        f"Version {version.number} of {version.study} in production: its metric on labelled data "
        "beside the threshold of its promotion, and the drift of its inputs, check by check."
    )
    return mlflow.create_run(
        experiment.experiment_id,
        run_name=f"monitoring of version {version.number}",
        tags={
            names.KIND: KIND,
            names.CHAMPION_VERSION: str(version.number),
            names.NOTE: note,
            **names.SOURCE,
        },
    )


def _drifts(mlflow: MlflowClient, version: Version, incoming: Incoming) -> list[Drift]:
    with TemporaryDirectory() as folder:
        path = Path(mlflow.download_artifacts(version.tags[names.GATE], REFERENCE, folder))
        known: Reference = json.loads(path.read_text(encoding="utf-8"))
    return drifts(known, incoming.inputs)


def _value(
    version: Version, task: TaskKind, metric: str, incoming: Incoming, limits: Limits
) -> float | None:
    """The champion's metric; None if too few true answers are known."""
    known = incoming.examples()
    if len(known) < limits.rows:
        return None
    (found,) = answers([version.uri], known.rows)
    scale = measure(task, metric)
    return scale.value(scale.per_row(known.truth, found))


def _worse(version: Version, value: float, threshold: float) -> bool:
    if not math.isfinite(value):
        return True
    least = version.tags[names.DIRECTION] == "minimize"
    return value > threshold if least else value < threshold


def _message(
    metric: str,
    value: float | None,
    threshold: float,
    worse: bool,
    drifted: list[Drift],
    columns: int,
) -> str:
    if value is None:
        first = "no true answers are known yet"
    else:
        how = "beyond" if worse else "within"
        first = f"{metric} {value:.6g} is {how} the threshold {threshold:.6g}"
    if not drifted:
        return f"{first}; none of {columns} columns has drifted"
    named = ", ".join(f"{drift.column} ({drift.index:.2f})" for drift in drifted[:NAMED])
    more = f" and {len(drifted) - NAMED} more" if len(drifted) > NAMED else ""
    return f"{first}; {len(drifted)} of {columns} columns have drifted: {named}{more}"


def _record(
    mlflow: MlflowClient, course: Run, found: Check, shifted: list[Drift], rows: int, mark: str
) -> None:
    """Add a check to the champion's monitoring run, as curves over the checks."""
    number = int(course.data.tags.get(names.CHECKS, 0)) + 1
    # MLflow groups metrics by the part before the slash; the group of the columns may be long.
    figures: Mapping[str, float | None] = {
        f"check/{found.metric}": found.value,
        f"check/{found.metric}_threshold": found.threshold,
        "check/largest_drift": max((drift.index for drift in shifted), default=0.0),
        "check/drifted_columns": len(found.drifted),
        "check/breaches_in_a_row": found.breaches,
        "check/rows": rows,
    }
    each = {f"drift/{drift.column}": drift.index for drift in shifted}
    values = {name: value for name, value in figures.items() if value is not None} | each
    run_id = course.info.run_id
    metrics = finite_metrics(number, time.time(), values)
    tags = {
        names.CHECKS: str(number),
        names.BREACHES: str(found.breaches),
        names.SEEN: mark,
        names.LATEST: f"{found.outcome}: {found.message}",
    }
    send(mlflow, run_id, metrics, {}, tags)
