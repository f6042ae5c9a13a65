"""Processor time of recording one trial in MLflow; a program of `measured`.

As in a search of two workers, two threads of one process record side by side. The trials have 10
hyperparameters and 20 rounds; nothing is trained. The job tells how many trials are in the search
when it is measured; the answer is the mean of the last `SPAN` of them [ms].
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from measured import answering

WORKERS = 2
SPAN = 50
PARAMS = {f"hyperparameter_{k}": k / 10 for k in range(10)}
ROUNDS = 20


def work(job: dict[str, Any]) -> dict[str, Any]:
    """Milliseconds of all threads for each trial, by how many there are by then."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ["NETTUNER_HOME"] = folder
        from nettuner.flows.servers.logging_setup import keep_quiet

        keep_quiet(verbose=False)
        search = begun()
        found, done = {}, 0
        with ThreadPoolExecutor(WORKERS) as threads:
            for trials in job["trials"]:
                all_of(threads.map(lambda k: record(search, k), range(done, trials - SPAN)))
                began = time.process_time()
                all_of(threads.map(lambda k: record(search, k), range(trials - SPAN, trials)))
                found[str(trials)] = 1000 * (time.process_time() - began) / SPAN
                done = trials
        return {"ms": found}


def all_of(results: Iterable[None]) -> None:
    """Wait for all of them; the first error is raised."""
    for _ in results:
        pass


def begun() -> Any:
    """The record of a search that has just begun."""
    from nettuner.models.study import Goal, Study
    from nettuner.tasks.memory import search_record, store

    study = Study.model_validate(
        {
            "name": "recording",
            "learner": "file.py:f",
            "space": {"x": {"distribution": "uniform", "low": 0, "high": 1}},
            "metric": "loss",
        }
    )
    facts = search_record.Facts("random_search", {}, "d", "", "", frozenset(), None)
    return search_record.start_search(store.client(), study, Goal("loss", "minimize"), facts)


def record(search: Any, number: int) -> None:
    """Record one trial from its beginning to its end, as tasks/training/trial.py does."""
    from nettuner.models.study import Proposal, Trial

    proposal = Proposal(number, PARAMS)
    trial = search.begin(proposal, (0, number), 0, None)
    for step in range(1, ROUNDS + 1):
        trial.report([{"step": step, "time": time.time(), "metrics": {"loss": 1 / step}}])
    trial.finish(
        Trial(proposal, 1 / ROUNDS, metrics={"loss": 1 / ROUNDS}, rounds=ROUNDS), last=True
    )


if __name__ == "__main__":
    answering(work)
