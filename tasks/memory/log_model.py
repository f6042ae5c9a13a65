"""Logs the winner's model: network and preprocessing together, loadable without nettuner."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import ColSpec, Schema
from mlflow.types.schema import AnyType

from nettuner.models.answers import as_plain
from nettuner.models.data import preprocessing
from nettuner.models.study import Goal, Study
from nettuner.models.training.examine import examine
from nettuner.tasks.memory import tags
from nettuner.tasks.memory.mlflow_private import log_pyfunc
from nettuner.tasks.memory.store import client
from nettuner.tasks.memory.views import saved_views, searched

if TYPE_CHECKING:
    from nettuner.models.training.winner import Winner

# Module name by which `served_model.py` imports the preprocessing.
RULES = "nettuner_preprocessing"
SERVED_WITH = ("mlflow", "torch", "numpy", "pandas")


def examine_and_log(
    study: Study,
    goal: Goal,
    params: Mapping[str, Any],
    state: Path,
    experiment_id: str,
    run_id: str,
) -> tuple[Mapping[str, float], str | None]:
    """Evaluate the winner on the test rows, and log its model; for a worker process.

    What it answers to them is kept for the report. The experiment has the saved views of this study
    afterwards, whose space may have changed.

    Args:
        study: Study of the search.
        goal: Metric and direction.
        params: Hyperparameters of the winner.
        state: Path of its checkpoint.
        experiment_id: Id of the run's experiment.
        run_id: Id of the search's run.

    Returns:
        Its metrics on the test rows, and why there is no model; None where there is one.
    """
    with TemporaryDirectory() as folder:
        winner = examine(study, params, state, Path(folder))
        if winner.network is not None:
            log_model(experiment_id, run_id, winner)
    if winner.answered is not None:
        client().log_dict(run_id, as_plain(winner.answered), tags.ANSWERED)
    for key, view in saved_views(goal, searched(study)).items():
        client().set_experiment_tag(experiment_id, key, view)
    return winner.metrics, winner.why_not


def log_model(experiment_id: str, run_id: str, winner: Winner) -> None:
    """Log the winner's model with signature and input example, on the search's run.

    Args:
        experiment_id: Id of the run's experiment.
        run_id: Id of the search's run.
        winner: Winner whose network could be exported.
    """
    assert winner.network is not None
    artifacts = {"network": str(winner.network)}
    if winner.preprocessing is not None:
        fitted = winner.network.with_name("preprocessing.json")
        fitted.write_text(winner.preprocessing, encoding="utf-8")
        artifacts["preprocessing"] = str(fitted)
    rules = winner.network.with_name(f"{RULES}.py")
    shutil.copyfile(str(preprocessing.__file__), rules)
    sys.modules[RULES] = preprocessing
    versions = [f"{name}=={version(name).partition('+')[0]}" for name in SERVED_WITH]
    log_pyfunc(
        client(),
        experiment_id,
        run_id,
        "model",
        python_model=str(Path(__file__).with_name("served_model.py")),
        artifacts=artifacts,
        code_paths=[str(rules)],
        input_example=winner.example,
        signature=signature(winner),
        pip_requirements=versions,
    )


def signature(winner: Winner) -> ModelSignature:
    """The model's signature; numeric columns accept any type.

    MLflow has no type for both integers and floats, and rejects one where the other was declared.
    The preprocessing checks that the values are numbers.
    """
    if winner.preprocessing is None:
        return infer_signature(winner.example, winner.answers)
    fitted = preprocessing.Preprocessing.from_json(winner.preprocessing)
    answers = fitted.answer(np.zeros((1, fitted.outputs)))
    found: ModelSignature = infer_signature(winner.example, answers)
    if isinstance(winner.example, pd.DataFrame):
        numbers = set(winner.example.select_dtypes("number").columns)
        anything = AnyType()  # type: ignore[no-untyped-call]
        columns = [
            ColSpec(anything, column.name, required=False) if column.name in numbers else column
            for column in found.inputs
        ]
        found = ModelSignature(Schema(columns), found.outputs)
    return found
