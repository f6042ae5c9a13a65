"""The champion of a study: the version of its registered model with the alias `champion`.

The alias is moved by one call, as the last step, when the new version is complete. So at any time
there is the old champion or the new one, never none, even if the process is killed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from nettuner.tasks.champion.ask_model import answers
from nettuner.tasks.champion.versions import CHAMPION, PREVIOUS, Version
from nettuner.tasks.memory import tags as names
from nettuner.tasks.memory.mlflow_private import exists, has_no_alias, is_absent

TOLERATED = 1e-5


class UnfitError(RuntimeError):
    """A version may not become the champion."""


def champion(mlflow: MlflowClient, study: str) -> Version | None:
    """The champion of a study; None if it has none yet.

    Only the two MLflow errors that mean this count: a failing server must not look like an empty
    registry, or the next challenger would be promoted without a comparison.
    """
    return _by_alias(mlflow, study, CHAMPION)


def _by_alias(mlflow: MlflowClient, study: str, alias: str) -> Version | None:
    try:
        return _version(mlflow.get_model_version_by_alias(study, alias), alias)
    except MlflowException as error:
        if is_absent(error) or has_no_alias(error):
            return None
        raise


def _version(found: ModelVersion, alias: str = "") -> Version:
    return Version(found.name, int(found.version), str(found.run_id), dict(found.tags), alias)


def model_of(mlflow: MlflowClient, run_id: str) -> str:
    """MLflow URI of the model that a search's run logged.

    Raises:
        ValueError: It logged none.
    """
    run = mlflow.get_run(run_id)
    found = mlflow.search_logged_models(
        [run.info.experiment_id], filter_string=f"source_run_id = '{run_id}'"
    )
    if not found:
        why = run.data.tags.get(names.MODEL, "the search did not end with a winner")
        raise ValueError(
            f"a model must be logged to be promoted, got none in the run {run_id} ({why}); "
            "search again"
        )
    return f"models:/{found[0].model_id}"


def register(
    mlflow: MlflowClient, study: str, model: str, run_id: str, tags: Mapping[str, str]
) -> Version:
    """Register a new version of the study's model, with its tags; not the champion yet.

    Args:
        mlflow: MLflow client.
        study: Name of the study.
        model: MLflow URI of a logged model.
        run_id: Run id of the search that logged it.
        tags: Tags of the version: reason, figures, and runs of its promotion.
    """
    try:
        mlflow.create_registered_model(
            study, description=f"What the searches of the study {study} brought into production."
        )
    except MlflowException as error:
        if not exists(error):
            raise
    model_id = model.removeprefix("models:/")
    return _version(
        mlflow.create_model_version(
            study,
            model,
            run_id,
            dict(tags),
            description=tags.get(names.REASON),
            model_id=model_id,
        )
    )


def set_champion(mlflow: MlflowClient, version: Version, rows: Any, expected: pd.DataFrame) -> None:
    """Make a version the champion, after a check that it loads and answers as before.

    Args:
        mlflow: MLflow client.
        version: Version to be promoted.
        rows: Rows to check it on.
        expected: Answers of the model to these rows in its comparison.

    Raises:
        UnfitError: It answers differently; the champion is unchanged.
    """
    (found,) = answers([version.uri], rows)
    if not answer_alike(found, expected):
        raise UnfitError(
            f"{version.uri} must answer as it did when it was judged, got other answers; "
            f"nothing was promoted: look at {version.uri} and promote anew"
        )
    before = champion(mlflow, version.study)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    if before is not None:
        mlflow.set_model_version_tag(
            version.study, str(version.number), names.BEFORE, str(before.number)
        )
        mlflow.set_registered_model_alias(version.study, PREVIOUS, str(before.number))
    mlflow.set_model_version_tag(version.study, str(version.number), names.PROMOTED, now)
    mlflow.set_registered_model_alias(version.study, CHAMPION, str(version.number))
    why = version.tags.get(names.REASON, "")
    _journal(mlflow, version.study, "promotion", before, version.number, why)


def answer_alike(found: pd.DataFrame, expected: pd.DataFrame) -> bool:
    """Whether two models' answers are equal, up to rounding."""
    if list(found.columns) != list(expected.columns) or len(found) != len(expected):
        return False
    for name in expected.columns:
        if pd.api.types.is_float_dtype(expected[name].dtype):
            close = np.isclose(found[name], expected[name], rtol=TOLERATED, atol=TOLERATED)
            if not close.all():
                return False
        elif found[name].tolist() != expected[name].tolist():
            return False
    return True


def roll_back(mlflow: MlflowClient, study: str, why: str) -> tuple[Version, Version]:
    """Make the previous champion the champion again.

    Returns:
        The old champion, and the new one.

    Raises:
        ValueError: There is no champion, or none before it.
    """
    now = champion(mlflow, study)
    if now is None:
        raise ValueError(
            f"{study!r} has no champion to roll back from; promote one: nettuner promote {study}"
        )
    if names.BEFORE not in now.tags:
        raise ValueError(
            f"version {now.number} is the first champion of {study!r}, there is none before it; "
            "promote another search instead"
        )
    before = _version(mlflow.get_model_version(study, now.tags[names.BEFORE]), CHAMPION)
    mlflow.set_registered_model_alias(study, PREVIOUS, str(now.number))
    mlflow.set_registered_model_alias(study, CHAMPION, str(before.number))
    _journal(mlflow, study, "rollback", now, before.number, why)
    return now, before


def _journal(
    mlflow: MlflowClient, study: str, what: str, before: Version | None, to: int, why: str
) -> None:
    at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"
    told = {"what": what, "from": before.number if before else None, "to": to, "why": why}
    mlflow.set_registered_model_tag(study, f"{names.MOVE}{at}", json.dumps(told))
