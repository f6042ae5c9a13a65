"""Predictions of logged models, each in its own process, as if served.

A model includes its own code (`nettuner_preprocessing`); two models in one process would both use
that of the first.
"""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from nettuner.tasks.home import tracking_uri

if TYPE_CHECKING:
    import pandas as pd


def answers(models: list[str], rows: pd.DataFrame | NDArray[Any]) -> list[pd.DataFrame]:
    """The predictions of each model for the same rows.

    Args:
        models: MLflow URIs of the models.
        rows: Rows as a served model receives them: a table, or an array of images.

    Raises:
        ValueError: A model rejects the rows, for example because columns are missing.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        max_workers=len(models), mp_context=context, max_tasks_per_child=1
    ) as processes:
        asked = [processes.submit(_answer, tracking_uri(), model, rows) for model in models]
        found = [future.result() for future in asked]
    for model, answer in zip(models, found, strict=True):
        if isinstance(answer, str):
            raise ValueError(f"{model} refuses the rows: {answer}")
    return [answer for answer in found if not isinstance(answer, str)]


def _answer(uri: str, model: str, rows: Any) -> pd.DataFrame | str:
    """The predictions, or the error as text, because MLflow's exceptions cannot be pickled."""
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow
    import torch

    mlflow.set_tracking_uri(uri)
    torch.set_num_threads(1)
    try:
        found: pd.DataFrame = mlflow.pyfunc.load_model(model).predict(rows)
    except Exception as error:
        return f"{type(error).__name__}: {error}".splitlines()[0]
    if not hasattr(found, "columns"):  # a GAN answers with images
        return f"it must answer with a table of predictions, got {type(found).__name__}"
    return found
