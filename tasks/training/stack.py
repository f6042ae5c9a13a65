"""Training several trials of one structure together, as one node of the DAG."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from prefect import get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE

from nettuner.models.stacks.trials import run_stack
from nettuner.models.study import Proposal, Trial
from nettuner.models.training.trial import Failure, Job, Outcome, trial_seed
from nettuner.tasks.memory.search_record import TrialRecord
from nettuner.tasks.training.pool import InterruptedSearchError, TrialFailedError
from nettuner.tasks.training.trial import (
    Bench,
    FailedTrialError,
    Tail,
    first_step,
    is_last,
    look,
    node,
)


@task(name="train-stack", task_run_name="{name}", cache_policy=NO_CACHE)
def train_stack(
    bench: Bench, proposals: list[Proposal], parents: list[Trial | None], name: str
) -> list[Trial]:
    """Train proposals that agree in their structure as one program.

    Each remains a trial and a run in MLflow of its own, and a line in the node's table. Where the
    worker that trains them all dies, each is tried again by itself.

    Args:
        bench: Of the search.
        proposals: What to train.
        parents: The trials whose weights they continue from.
        name: Of the node in the DAG.

    Raises:
        InterruptedSearchError: the search was stopped meanwhile.
    """
    jobs = [bench.job(p, parent) for p, parent in zip(proposals, parents, strict=True)]
    tails = [Tail(job) for job in jobs]
    books = _Books(bench, jobs, parents)
    get_run_logger().info("%s: %d trials together", name, len(jobs))
    members = proposals[0].member is not None
    began = time.monotonic()
    try:
        outcomes = _outcomes(bench, jobs, members, lambda: books.write(tails))
    except InterruptedSearchError as error:
        books.write(tails)
        books.interrupted(str(error))
        raise
    seconds = (time.monotonic() - began) / len(jobs)
    trials = [
        bench.trial(job, outcome, tail, seconds)
        for job, outcome, tail in zip(jobs, outcomes, tails, strict=True)
    ]
    books.close(tails, trials)
    bench.record.keep_segment(proposals[0].number, books.records)
    create_table_artifact(
        [_row(bench, trial, books.url(k)) for k, trial in enumerate(trials)],
        key=f"stack-{bench.record.run_id[:8]}-{proposals[0].number}",
        description=f"{name} of {bench.study.name}: what came of each trial",
    )
    return trials


@task(name="failed", task_run_name="{name}", cache_policy=NO_CACHE)
def fail(trial: Trial, name: str) -> None:
    """A failed trial of a stack as a failed node.

    Raises:
        FailedTrialError: always; the message is the trial's reason.
    """
    raise FailedTrialError(trial)


def _outcomes(
    bench: Bench, jobs: Sequence[Job], members: bool, glance: Any
) -> list[Outcome | Failure]:
    try:
        return bench.pool.run(run_stack, jobs, members, glance=glance)
    except TrialFailedError as error:
        get_run_logger().warning("%s: each is tried alone", error)
    found: list[Outcome | Failure] = []
    for job in jobs:
        try:
            found += bench.pool.run(run_stack, [job], True, glance=glance)
        except TrialFailedError as error:
            found.append(Failure(str(error), error.details))
    return found


class _Books:
    """The runs in MLflow of a stack's trials, opened one by one while the stack trains."""

    def __init__(self, bench: Bench, jobs: Sequence[Job], parents: Sequence[Trial | None]) -> None:
        self._bench = bench
        self._jobs = jobs
        self._parents = parents
        self._node = node()
        self.records: list[TrialRecord] = []

    def _open(self) -> None:
        job, parent = self._jobs[len(self.records)], self._parents[len(self.records)]
        seed = trial_seed(self._bench.study, job.proposal)
        step = first_step(self._bench.study, parent)
        self.records.append(self._bench.record.begin(job.proposal, seed, step, self._node, parent))

    def write(self, tails: Sequence[Tail]) -> None:
        """Open some more runs, and report what is new in those that are open."""
        for _ in range(min(4, len(self._jobs) - len(self.records))):
            self._open()
        for record, tail in zip(self.records, tails, strict=False):
            look(record, tail)

    def close(self, tails: Sequence[Tail], trials: Sequence[Trial]) -> None:
        """Open those that are missing, and record what came of every trial."""
        while len(self.records) < len(self._jobs):
            self._open()
        for record, tail, trial in zip(self.records, tails, trials, strict=True):
            look(record, tail, rest=True)
            record.finish(trial, last=is_last(self._bench.study, trial.proposal), later=True)

    def interrupted(self, reason: str) -> None:
        """Close the runs of trials that were stopped before they could end."""
        for record in self.records:
            record.interrupted(reason)

    def url(self, place: int) -> str:
        """Where people see a trial."""
        return self.records[place].url


def _row(bench: Bench, trial: Trial, url: str) -> dict[str, Any]:
    score = trial.score
    return {
        "trial": trial.number,
        bench.goal.metric: None if score is None else f"{bench.goal.value(score):.6g}",
        "failed": trial.reason,
        "in MLflow": url,
    }
