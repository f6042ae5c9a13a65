"""A plain script of Ray Tune: random search by a function, its processes used again.

Run: python start_ray.py TRIALS
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from typing import Any

import ray
from ray import tune
from start_networks import WORKLOADS, Rows, trained

SPACE = {
    "hidden": tune.lograndint(8, 129),
    "layers": tune.choice([1, 2, 3]),
    "dropout": tune.uniform(0.0, 0.5),
    "optimizer": tune.choice(["sgd", "adamw"]),
    "learning_rate": tune.loguniform(1e-4, 0.1),
    "momentum": tune.uniform(0.5, 0.99),
    "weight_decay": tune.loguniform(1e-5, 0.1),
}


def train(params: dict[str, Any], rows: Rows) -> None:
    """One trial."""
    if params["optimizer"] == "sgd":
        params = {**params, "weight_decay": 0.0}
    for loss in trained(WORKLOADS["wine"], rows, params):
        tune.report({"val_loss": loss})


def main() -> None:
    """Search on two cores, print the best loss."""
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    rows = Rows(WORKLOADS["wine"])
    with tempfile.TemporaryDirectory() as folder:
        tuner = tune.Tuner(
            tune.with_resources(tune.with_parameters(train, rows=rows), {"cpu": 1}),
            param_space=SPACE,
            tune_config=tune.TuneConfig(
                num_samples=int(sys.argv[1]), metric="val_loss", mode="min", reuse_actors=True
            ),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        )
        print(tuner.fit().get_best_result().metrics["val_loss"])


if __name__ == "__main__":
    main()
