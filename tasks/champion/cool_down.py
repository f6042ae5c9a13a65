"""Minimum time between two retunings, so that a lasting alarm does not start them in a row."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nettuner.tasks.memory import store
from nettuner.tasks.memory import tags as names

if TYPE_CHECKING:
    from mlflow import MlflowClient


def retuned(mlflow: MlflowClient, study: str) -> None:
    """Record that a study was retuned now."""
    experiment = store.find_experiment(mlflow, study)
    assert experiment is not None  # it was searched
    mlflow.set_experiment_tag(experiment.experiment_id, names.RETUNED, f"{time.time():.0f}")


def cooling(mlflow: MlflowClient, study: str, minutes: float) -> str | None:
    """Why a retuning may not start yet; None if it may."""
    experiment = store.find_experiment(mlflow, study)
    latest = experiment.tags.get(names.RETUNED) if experiment else None
    if latest is None:
        return None
    since = (time.time() - float(latest)) / 60
    if since >= minutes:
        return None
    return (
        f"{study} was retuned {since:.0f} minutes ago; the next may begin {minutes - since:.0f} "
        "minutes from now (cool_down_minutes)"
    )
