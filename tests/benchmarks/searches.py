"""Whole searches as a user starts them: Prefect, workers and MLflow; a program of `measured`.

The job is a list of studies, the answer what came of each. `working_seconds` are those from the
moment a worker is ready to train until the last trial is recorded: without the start of Python,
Prefect, MLflow and the workers, and without what happens to the winner afterwards.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import stamped
from measured import answering

if TYPE_CHECKING:
    from nettuner.flows.engine.search import SearchResult


def searched(description: dict[str, Any], home: Path) -> dict[str, Any]:
    """What came of a search."""
    from nettuner.flows.engine.find import flow_of
    from nettuner.models.study import Study

    study = Study.model_validate(description)
    stamps = home / f"{study.name}-{study.seed}.stamps"
    os.environ[stamped.STAMPS] = str(stamps)
    result = flow_of(study.strategy.name)(study)
    assert result.best is not None
    ready, ended = stamped.first_ready(stamps), last_ended(result)
    return {
        "val": dict(result.best.metrics),
        "test": result.test,
        "trials": len(result.trials),
        "failed": sum(not trial.succeeded for trial in result.trials),
        "rounds": sum(trial.rounds for trial in result.trials),
        "working_seconds": ended - ready if ready else None,
    }


def last_ended(result: SearchResult) -> float:
    """When the last trial had ended and was recorded [s since 1970].

    The runs of members are closed together with the search, so for these it is when the last
    segment had ended, counted from the beginning of the search.
    """
    from mlflow import MlflowClient

    client = MlflowClient()
    search = client.get_run(result.run_id).info
    if result.trials[0].proposal.member is not None:
        return float(search.start_time) / 1000 + max(trial.ended for trial in result.trials)
    runs = client.search_runs(
        [search.experiment_id],
        f"tags.`mlflow.parentRunId` = '{result.run_id}'",
        max_results=10_000,
    )
    return float(max(run.info.end_time or 0 for run in runs)) / 1000


def work(job: dict[str, Any]) -> dict[str, Any]:
    """The searches of a job, one after another."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ["NETTUNER_HOME"] = folder
        from nettuner.flows.servers.logging_setup import keep_quiet

        keep_quiet(verbose=False)
        from nettuner.flows.servers.local_server import start_local_server

        start_local_server()
        return {"searches": [searched(study, Path(folder)) for study in job["studies"]]}


if __name__ == "__main__":
    answering(work)
