"""The winner's model in MLflow: network and preprocessing as one, loadable without nettuner."""

from __future__ import annotations

import warnings
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow.pyfunc
from mlflow.models import Model

from models.data import preprocessing

if TYPE_CHECKING:
    from models.winner import Winner
    from tasks.track import SearchRecord

SERVED_WITH = ("mlflow", "torch", "numpy", "pandas")


def log_model(record: SearchRecord, winner: Winner) -> None:
    """Log the winner's model with signature and input example, on the search's run.

    A network that cannot be exported is said so in a tag; its weights stay in the checkpoint.
    """
    if winner.network is None:
        record.mlflow.set_tag(record.run_id, "nettuner.model", f"not exported: {winner.why_not}")
        return
    rules = winner.network.with_name("preprocessing.json")
    rules.write_text(winner.preprocessing, encoding="utf-8")
    versions = [f"{name}=={version(name).partition('+')[0]}" for name in SERVED_WITH]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Model.log(
            artifact_path=None,
            name="model",
            flavor=mlflow.pyfunc,
            run_id=record.run_id,
            python_model=str(Path(__file__).with_name("served_model.py")),
            artifacts={"network": str(winner.network), "preprocessing": str(rules)},
            code_paths=[str(preprocessing.__file__)],
            input_example=winner.example,
            pip_requirements=versions,
        )
