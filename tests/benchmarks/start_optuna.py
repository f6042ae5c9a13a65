"""A plain script of Optuna: one process, trials in memory, or in MLflow by its callback.

Run: python start_optuna.py wine|digits random|tpe TRIALS [--mlflow ADDRESS]
"""

from __future__ import annotations

import argparse
import warnings
from typing import Any

import optuna
from start_networks import DIGITS, WORKLOADS, Rows, trained


def wine(trial: optuna.Trial) -> dict[str, Any]:
    """A point of the space of deploy/studies/own_net.yaml."""
    params: dict[str, Any] = {
        "hidden": trial.suggest_int("hidden", 8, 128, log=True),
        "layers": trial.suggest_categorical("layers", [1, 2, 3]),
        "dropout": trial.suggest_float("dropout", 0.0, 0.5),
        "optimizer": trial.suggest_categorical("optimizer", ["sgd", "adamw"]),
        "learning_rate": trial.suggest_float("learning_rate", 1e-4, 0.1, log=True),
    }
    if params["optimizer"] == "sgd":
        return params | {"momentum": trial.suggest_float("momentum", 0.5, 0.99)}
    return params | {"weight_decay": trial.suggest_float("weight_decay", 1e-5, 0.1, log=True)}


def digits(trial: optuna.Trial) -> dict[str, Any]:
    """What differs between networks of one structure."""
    return {
        **DIGITS,
        "learning_rate": trial.suggest_float("learning_rate", 1e-3, 0.3, log=True),
        "momentum": trial.suggest_float("momentum", 0.5, 0.99),
        "weight_decay": trial.suggest_float("weight_decay", 1e-6, 1e-2, log=True),
    }


SPACES = {"wine": wine, "digits": digits}
SAMPLERS = {"random": optuna.samplers.RandomSampler, "tpe": optuna.samplers.TPESampler}


def main() -> None:
    """Search, print the best loss."""
    parser = argparse.ArgumentParser()
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("sampler", choices=SAMPLERS)
    parser.add_argument("trials", type=int)
    parser.add_argument("--mlflow")
    asked = parser.parse_args()
    workload = WORKLOADS[asked.workload]
    rows = Rows(workload)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=SAMPLERS[asked.sampler](seed=0))

    def objective(trial: optuna.Trial) -> float:
        *_, loss = trained(workload, rows, SPACES[asked.workload](trial))
        return loss

    study.optimize(
        objective,
        n_trials=asked.trials,
        callbacks=[recorder(asked.mlflow)] if asked.mlflow else [],
    )
    print(study.best_value)


def recorder(address: str) -> Any:
    """Optuna's own callback, which records a trial as a run when it has ended."""
    from optuna_integration.mlflow import MLflowCallback

    warnings.simplefilter("ignore")  # it is experimental, and deprecated
    return MLflowCallback(tracking_uri=address, metric_name="val_loss")


if __name__ == "__main__":
    main()
