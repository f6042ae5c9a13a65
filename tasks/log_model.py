"""The winner's model in MLflow: network and preprocessing as one, loadable without nettuner."""

from __future__ import annotations

import shutil
import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow.pyfunc
import pandas as pd
from mlflow.models import Model

from models.data import preprocessing

if TYPE_CHECKING:
    from models.winner import Winner
    from tasks.track import SearchRecord

# Under this name `tasks/served_model.py` imports the rules, here and wherever it is loaded.
RULES = "nettuner_preprocessing"
SERVED_WITH = ("mlflow", "torch", "numpy", "pandas")


def log_model(record: SearchRecord, winner: Winner) -> None:
    """Log the winner's model with signature and input example, on the search's run.

    A network that cannot be exported is said so in a tag; its weights stay in the checkpoint.
    """
    if winner.network is None:
        record.mlflow.set_tag(record.run_id, "nettuner.model", f"not exported: {winner.why_not}")
        return
    fitted = winner.network.with_name("preprocessing.json")
    fitted.write_text(winner.preprocessing, encoding="utf-8")
    rules = winner.network.with_name(f"{RULES}.py")
    shutil.copyfile(str(preprocessing.__file__), rules)
    sys.modules[RULES] = preprocessing
    versions = [f"{name}=={version(name).partition('+')[0]}" for name in SERVED_WITH]
    # Made here and not by `log`, which would take the experiment from global state.
    logged = record.mlflow.create_logged_model(
        record.experiment_id, name="model", source_run_id=record.run_id, model_type="winner"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Model.log(
            artifact_path=None,
            flavor=mlflow.pyfunc,
            model_id=logged.model_id,
            run_id=record.run_id,
            python_model=str(Path(__file__).with_name("served_model.py")),
            artifacts={"network": str(winner.network), "preprocessing": str(fitted)},
            code_paths=[str(rules)],
            input_example=_as_doubles(winner.example),
            pip_requirements=versions,
        )


def _as_doubles(example: Any) -> Any:
    """Whole numbers as floating point: a column that holds them today may miss one tomorrow."""
    if isinstance(example, pd.DataFrame):
        whole = example.select_dtypes("integer").columns
        return example.astype(dict.fromkeys(whole, "float64"))
    return example
