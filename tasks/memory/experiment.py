"""The MLflow experiment of a study, found, or made by who can do so soonest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nettuner.models.study import Goal, Study
from nettuner.tasks.home import home, tracking_uri
from nettuner.tasks.memory import rest_reader
from nettuner.tasks.memory import tags as names
from nettuner.tasks.memory.by_client import by_client
from nettuner.tasks.memory.mlflow_private import experiment_in_file
from nettuner.tasks.memory.reader import reader
from nettuner.tasks.memory.store import find_experiment
from nettuner.tasks.memory.views import saved_views, searched
from nettuner.tasks.workers.pool import Pool

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment


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
    known = experiment_in_file(mlflow.tracking_uri, study.name)
    if known is not None:
        return _id_of(known)
    return str(by_client(mlflow, pool, _found_or_made, study, goal))


def _found_or_made(mlflow: MlflowClient, study: Study, goal: Goal) -> str:
    quick = reader() if mlflow.tracking_uri == tracking_uri() else mlflow
    there: Experiment | rest_reader.Experiment | None = quick.get_experiment_by_name(study.name)
    if there is not None:
        return _id_of(there)
    local = tracking_uri().startswith("sqlite")
    folder = home() / "artifacts" / study.name
    note = (
        f"Study **{study.name}**: `{Path(study.learner).name}`, {goal.direction} `{goal.metric}`. "
        "One parent run a search, one child run a trial. *Views*, above, has tables of both, and "
        "charts."
    )
    try:
        return str(
            mlflow.create_experiment(
                study.name,
                artifact_location=folder.as_uri() if local else None,
                tags={
                    names.NOTE: note,
                    names.KIND: "study",
                    **names.SHOWN_AS_TRAINING,
                    **saved_views(goal, searched(study)),
                },
            )
        )
    except Exception:  # another search of the study created it first
        there = find_experiment(mlflow, study.name)
        if there is None:
            raise
        return _id_of(there)


def _id_of(known: Experiment | rest_reader.Experiment) -> str:
    """Id of an experiment that is there.

    Raises:
        ValueError: It was deleted.
    """
    if known.lifecycle_stage == "deleted":
        raise ValueError(
            f"the experiment {known.name!r} was deleted in MLflow; restore it there "
            "or give the study another name"
        )
    return str(known.experiment_id)
