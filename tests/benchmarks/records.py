"""What it costs to record a trial: CPU milliseconds per trial of 10 parameters and 20 rounds.

Run: .venv/bin/python tests/benchmarks/records.py            (half a minute; prints a table)

Two threads record trials as the tasks that train them do, without any training, into a new SQLite
store. CPU time is that of the whole process, the thread that writes to the store included; what is
in the store is counted at the end.
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

TRIALS = (100, 3000)
WIDTH = 2
PARAMS = {f"hyperparameter_{k}": 0.1 * k for k in range(10)}
ROUNDS = 20


def cpu() -> float:
    """CPU seconds of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def recorded(trials: int) -> tuple[float, float, float]:
    """CPU and wall milliseconds per trial, and the longest that recording held a trial up [ms]."""
    from nettuner.models.study import Goal, Proposal, Study, Trial
    from nettuner.tasks.memory import recall, search_record, store

    study = Study.model_validate(
        {
            "name": f"records-{trials}",
            "learner": "file.py:f",
            "space": {name: {"distribution": "uniform", "low": 0, "high": 1} for name in PARAMS},
            "metric": "loss",
        }
    )
    facts = search_record.Facts("random_search", {}, "d", "", "", frozenset(), None)
    mlflow = store.client()
    goal = Goal("loss", "minimize")
    record = search_record.start_search(mlflow, study, goal, facts)
    held_up: list[float] = []

    def one(number: int) -> None:
        before = time.perf_counter()
        proposal = Proposal(number, PARAMS)
        run = record.begin(proposal, (0, number), 0, "http://127.0.0.1:4200/runs/task-run/x")
        for step in range(1, ROUNDS + 1):
            metrics = {"loss": 1 / step, "val_loss": 2 / step}
            run.report([{"step": step, "time": 1.7e9 + step, "metrics": metrics}])
        run.finish(Trial(proposal, 0.05, rounds=ROUNDS, metrics={"loss": 0.05}), last=True)
        held_up.append(time.perf_counter() - before)

    began, used = time.perf_counter(), cpu()
    with ThreadPoolExecutor(WIDTH) as pool:
        list(pool.map(one, range(trials)))
    record.finish("FINISHED", "", {}, {})
    wall, used = time.perf_counter() - began, cpu() - used
    (past,) = recall.searches(mlflow, study.name)
    assert len(past.trials) == trials
    return 1000 * used / trials, 1000 * wall / trials, 1000 * max(held_up)


def costs() -> Iterator[tuple[int, float, float, float]]:
    """How many trials, and what `recorded` found for them."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NETTUNER_HOME"] = folder
        recorded(2)  # imports, and the tables of the store
        for trials in TRIALS:
            yield trials, *recorded(trials)


def main() -> None:
    """Measure and print."""
    print(f"{'trials':>8}{'CPU ms':>10}{'wall ms':>10}{'longest ms':>12}   per trial")
    for trials, used, wall, longest in costs():
        print(f"{trials:>8}{used:>10.2f}{wall:>10.2f}{longest:>12.1f}", flush=True)


if __name__ == "__main__":
    main()
