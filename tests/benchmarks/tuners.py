"""Ray Tune and Optuna as their users use them; a program of `measured`.

Runs in an environment of its own (`requirements-population.txt`), where nettuner is not installed;
the networks are nevertheless those of `models/learners`. The training loop is an ordinary one, and
a fast one: rows are picked from tensors, the optimiser is fused, one thread for each process,
one evaluation an epoch, which is reported.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measured import answering
from torch import Tensor, nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).parents[2] / ".venv" / "layout"))

Arrays = Mapping[str, Any]
Space = Mapping[str, Mapping[str, Any]]


def network(job: Mapping[str, Any], shape: tuple[int, ...]) -> nn.Module:
    """The network of a built-in learner."""
    perceptron, convolutional = classes()
    if job["network"] == "mlp":
        return perceptron(int(np.prod(shape)), job["classes"], job["hidden"], 1, "relu")
    return convolutional(shape, job["classes"], job["channels"], 3, job["hidden"])


def classes() -> tuple[Callable[..., nn.Module], Callable[..., nn.Module]]:
    """Those of the networks; they take long to import, which is no part of a trial."""
    from nettuner.models.learners.cnn import Convolutional
    from nettuner.models.learners.mlp import Perceptron

    return Perceptron, Convolutional


class Training:
    """One configuration in training."""

    def __init__(self, job: Mapping[str, Any], arrays: Arrays, params: Mapping[str, Any]) -> None:
        torch.set_num_threads(1)
        self.job = job
        self.data = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
        self.inputs, self.targets = self.data["train_inputs"], self.data["train_targets"]
        self.network = network(job, tuple(self.inputs.shape[1:]))
        self.optimiser = torch.optim.AdamW(self.network.parameters(), fused=True)
        self.set(params)

    def set(self, params: Mapping[str, Any]) -> None:
        """Go on with these hyperparameters."""
        self.dropout = params.get("dropout", 0.0)
        for group in self.optimiser.param_groups:
            group["lr"] = params["learning_rate"]
            group["weight_decay"] = params.get("weight_decay", 0.0)

    def epoch(self) -> None:
        """One pass over the training rows."""
        self.network.train()
        for rows in torch.randperm(len(self.targets)).split(self.job["batch_size"]):
            if len(rows) == 1:
                continue
            outputs = self.network(self.inputs[rows], self.dropout)
            loss = functional.cross_entropy(outputs, self.targets[rows])
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()

    def evaluated(self, split: str) -> dict[str, float]:
        """Loss and accuracy on a split."""
        self.network.eval()
        targets: Tensor = self.data[f"{split}_targets"]
        with torch.no_grad():
            outputs = self.network(self.data[f"{split}_inputs"])
            loss = functional.cross_entropy(outputs, targets).item()
        return {
            f"{split}_loss": loss,
            f"{split}_accuracy": float((outputs.argmax(1) == targets).double().mean()),
        }

    def epochs(self) -> Iterator[dict[str, float]]:
        """The metrics after each epoch."""
        for _ in range(self.job["epochs"]):
            self.epoch()
            yield self.evaluated("validation")


def loaded(job: Mapping[str, Any]) -> Arrays:
    """The rows that every tuner gets, as nettuner divides and scales them."""
    with np.load(job["data"]) as arrays:
        return {name: arrays[name] for name in arrays.files}


# --- Optuna ---------------------------------------------------------------------------------------


def optuna_storage(job: Mapping[str, Any], folder: str) -> Any:
    """A database, or a journal."""
    import optuna

    if job["storage"] == "sqlite":
        return optuna.storages.RDBStorage(f"sqlite:///{folder}/optuna.db")
    backend = optuna.storages.journal.JournalFileBackend(f"{folder}/optuna.log")
    return optuna.storages.JournalStorage(backend)


def optuna_worker(job: Mapping[str, Any], folder: str, number: int) -> None:
    """One of the processes that share a study."""
    import optuna
    from optuna.study import MaxTrialsCallback
    from optuna.trial import TrialState

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    classes()
    arrays = loaded(job)

    def objective(trial: Any) -> float:
        params = {
            name: trial.suggest_float(
                name, d["low"], d["high"], log=d["distribution"] == "log-uniform"
            )
            for name, d in job["space"].items()
        }
        metrics: dict[str, float] = {}
        for epoch, metrics in enumerate(Training(job, arrays, params).epochs()):
            trial.report(metrics["validation_loss"], epoch)
        return metrics["validation_loss"]

    study = optuna.load_study(
        study_name="study",
        storage=optuna_storage(job, folder),
        sampler=optuna.samplers.RandomSampler(seed=job["seed"] * 1000 + number),
    )
    done = (TrialState.COMPLETE, TrialState.RUNNING)
    study.optimize(objective, callbacks=[MaxTrialsCallback(job["configurations"], states=done)])


def optuna_random(job: Mapping[str, Any]) -> dict[str, Any]:
    """Random search by two processes."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        study = optuna.create_study(study_name="study", storage=optuna_storage(job, folder))
        context = multiprocessing.get_context("spawn")
        workers = [
            context.Process(target=optuna_worker, args=(job, folder, number))
            for number in range(job["workers"])
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if any(worker.exitcode for worker in workers):
            raise RuntimeError("a worker of Optuna failed")
        trials = [trial for trial in study.trials if trial.value is not None]
    began = min(trial.datetime_start.timestamp() for trial in trials)
    ended = max(trial.datetime_complete.timestamp() for trial in trials)
    best = min(trial.value for trial in trials)
    return {"trials": len(trials), "working_seconds": ended - began, "val_loss": best}


# --- Ray Tune -------------------------------------------------------------------------------------


def ray_started(job: Mapping[str, Any]) -> None:
    """Ray on so many cores, its chatter kept out of the way."""
    import ray

    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
    ray.init(
        num_cpus=job["workers"],
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join(sys.path[:2])}},
    )


def ray_space(space: Space) -> dict[str, Any]:
    """A study's space in Ray's words."""
    from ray import tune

    return {
        name: (tune.loguniform if d["distribution"] == "log-uniform" else tune.uniform)(
            d["low"], d["high"]
        )
        for name, d in space.items()
    }


def ray_random(job: Mapping[str, Any]) -> dict[str, Any]:
    """Random search by a function, its processes used again."""
    from ray import tune

    ray_started(job)

    def train(params: dict[str, Any], arrays: Arrays) -> None:
        classes()
        began = time.time()
        for metrics in Training(job, arrays, params).epochs():
            tune.report({**metrics, "began": began, "ended": time.time()})

    with tempfile.TemporaryDirectory() as folder:
        tuner = tune.Tuner(
            tune.with_resources(tune.with_parameters(train, arrays=loaded(job)), {"cpu": 1}),
            param_space=ray_space(job["space"]),
            tune_config=tune.TuneConfig(
                num_samples=job["configurations"],
                metric="validation_loss",
                mode="min",
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        )
        results = tuner.fit()
    finished = [result.metrics for result in results if not result.error]
    return {
        "trials": len(finished),
        "working_seconds": max(m["ended"] for m in finished) - min(m["began"] for m in finished),
        "val_loss": min(m["validation_loss"] for m in finished),
    }


def ray_population(job: Mapping[str, Any]) -> dict[str, Any]:
    """Population based training by a class whose processes are used again, one step a segment.

    With `at_once` all members are processes that share the cores; else there is a process for each
    core, and members are paused.
    """
    from ray import tune
    from ray.tune.schedulers import PopulationBasedTraining

    ray_started(job)

    class Member(tune.Trainable):  # type: ignore[misc, name-defined, unused-ignore]
        def setup(self, config: dict[str, Any], arrays: Arrays) -> None:
            self.arrays = arrays
            self.training = Training(job, arrays, config)

        def step(self) -> dict[str, float]:
            began, cpu = time.time(), time.process_time()
            for _ in range(job["interval"]):
                self.training.epoch()
            found = {**self.training.evaluated("validation"), **self.training.evaluated("test")}
            cpu = time.process_time() - cpu
            return {**found, "began": began, "ended": time.time(), "cpu": cpu}

        def save_checkpoint(self, folder: str) -> None:
            state = {
                "network": self.training.network.state_dict(),
                "optimiser": self.training.optimiser.state_dict(),
            }
            torch.save(state, Path(folder) / "state.pt")

        def load_checkpoint(self, folder: str) -> None:
            state = torch.load(Path(folder) / "state.pt")
            self.training.network.load_state_dict(state["network"])
            self.training.optimiser.load_state_dict(state["optimiser"])
            self.training.set(self.config)  # the old ones came with the state

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self.training = Training(job, self.arrays, new_config)
            return True

    rows: list[dict[str, Any]] = []

    class Watch(tune.Callback):  # type: ignore[misc, name-defined, unused-ignore]
        def on_trial_result(
            self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **_: Any
        ) -> None:
            rows.append(dict(result))

    segments = job["epochs"] // job["interval"]
    scheduler = PopulationBasedTraining(
        time_attr="training_iteration",
        perturbation_interval=1,
        hyperparam_mutations=ray_space(job["space"]),
        synch=job["synchronous"],
    )
    np.random.seed(job["seed"])  # noqa: NPY002 - what Ray draws from
    share = job["workers"] / job["members"] if job["at_once"] else 1
    with tempfile.TemporaryDirectory() as folder:
        tuner = tune.Tuner(
            tune.with_resources(tune.with_parameters(Member, arrays=loaded(job)), {"cpu": share}),
            param_space=ray_space(job["space"]),
            tune_config=tune.TuneConfig(
                num_samples=job["members"],
                metric="validation_loss",
                mode="min",
                scheduler=scheduler,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                storage_path=folder,
                verbose=0,
                stop={"training_iteration": segments},
                callbacks=[Watch()],
            ),
        )
        tuner.fit()
    best = min(rows, key=lambda row: row["validation_loss"])
    return {
        "segments": len(rows),
        "val_loss": best["validation_loss"],
        "test_loss": best["test_loss"],
        "test_accuracy": best["test_accuracy"],
        "training_cpu_seconds": sum(row["cpu"] for row in rows),
        "working_seconds": max(r["ended"] for r in rows) - min(r["began"] for r in rows),
    }


TUNERS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "optuna": optuna_random,
    "ray": ray_random,
    "ray_population": ray_population,
}


def work(job: dict[str, Any]) -> dict[str, Any]:
    """What a job asks for."""
    warnings.simplefilter("ignore")
    return TUNERS[job["tuner"]](job)


if __name__ == "__main__":
    answering(work)
