"""Prefect task that trains several trials of one structure together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefect import get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE

from nettuner.models.study import Proposal, Trial
from nettuner.models.training.failure import Failure
from nettuner.models.training.job import Job, Outcome, trial_seed
from nettuner.tasks.memory.trial_record import TrialRecord
from nettuner.tasks.training.context import TrialContext
from nettuner.tasks.training.outcomes import Clock, outcomes_of
from nettuner.tasks.training.trainings import Reader, reader_of
from nettuner.tasks.training.trial import FailedTrialError, conclude, first_step, look, node
from nettuner.tasks.workers.places import Stay
from nettuner.tasks.workers.pool import InterruptedSearchError


@task(name="train-stack", task_run_name="{name}", cache_policy=NO_CACHE)
def train_stack(
    context: TrialContext, proposals: list[Proposal], parents: list[Trial | None], name: str
) -> list[Trial]:
    """Train proposals that agree in their structure as one program.

    Each is still a trial and an MLflow run of its own, and a row in the task's table. If the worker
    dies twice, or a trial changes its process, the others are trained on their own.

    Args:
        context: Context of the search.
        proposals: Proposals to train.
        parents: Trials whose weights they continue from; None starts anew.
        name: Name of the task run.

    Raises:
        InterruptedSearchError: The search was stopped meanwhile.
    """
    with context.places.one() as stay:
        return _trained(context, proposals, parents, name, stay)


def _trained(
    context: TrialContext,
    proposals: list[Proposal],
    parents: list[Trial | None],
    name: str,
    stay: Stay,
) -> list[Trial]:
    both = zip(proposals, parents, strict=True)
    jobs = [context.jobs(proposal, parent, stay.place.device) for proposal, parent in both]
    readers = [reader_of(of_trial) for of_trial in jobs]
    runs = StackRuns(context, jobs, parents, stay.place.shown)
    get_run_logger().info("%s: %d trials together", name, len(jobs))
    clock = Clock(context.training)
    for first, *_ in jobs:
        context.curves.begin(first.proposal.number, first.done)
    try:
        outcomes = outcomes_of(context, stay.place, jobs, clock, lambda: runs.glance(readers))
    except InterruptedSearchError as error:
        runs.write(readers)
        runs.interrupted(str(error))
        raise
    runs.write_rest(readers)
    seconds = clock.seconds / len(jobs)
    trials = [
        context.trial(of_trial, found, reader, seconds, stay)
        for of_trial, found, reader in zip(jobs, outcomes, readers, strict=True)
    ]
    runs.close(readers, trials, outcomes)
    create_table_artifact(
        [_row(context, trial, runs.url(k)) for k, trial in enumerate(trials)],
        key=f"stack-{context.record.run_id[:8]}-{proposals[0].number}",
        description=f"{name} of {context.study.name}: what came of each trial",
    )
    return trials


@task(name="failed", task_run_name="{name}", cache_policy=NO_CACHE)
def fail(trial: Trial, name: str) -> None:
    """Show a failed trial of a stack as a failed task run.

    Raises:
        FailedTrialError: Always; the message is the trial's reason.
    """
    raise FailedTrialError(trial)


class StackRuns:
    """The MLflow runs of a stack's trials, opened a few at a time while the stack trains."""

    def __init__(
        self,
        context: TrialContext,
        jobs: Sequence[Sequence[Job]],
        parents: Sequence[Trial | None],
        device: str,
    ) -> None:
        self._context = context
        self._device = device
        self._jobs = jobs
        self._parents = parents
        self._node = node()
        self.records: list[TrialRecord] = []

    def _open(self) -> None:
        (job, *_), parent = self._jobs[len(self.records)], self._parents[len(self.records)]
        seed = trial_seed(self._context.study, job.proposal)
        step = first_step(self._context.study, parent)
        self.records.append(
            self._context.record.begin(job.proposal, seed, step, self._node, parent, self._device)
        )

    def write(self, readers: Sequence[Reader]) -> None:
        """Open some more runs, and send new metrics to those that are open."""
        for _ in range(min(4, len(self._jobs) - len(self.records))):
            self._open()
        for record, reader in zip(self.records, readers, strict=False):
            look(self._context, record, reader)

    def glance(self, readers: Sequence[Reader]) -> None:
        """Write what is new, and show what was printed."""
        self.write(readers)
        for of_trial in self._jobs:
            for job in of_trial:
                self._context.printed.look(f"trial {job.proposal.number}", job.output)

    def write_rest(self, readers: Sequence[Reader]) -> None:
        """Open the remaining runs, and send the last metrics to all."""
        while len(self.records) < len(self._jobs):
            self._open()
        for record, reader in zip(self.records, readers, strict=True):
            look(self._context, record, reader, rest=True)

    def close(
        self,
        readers: Sequence[Reader],
        trials: Sequence[Trial],
        outcomes: Sequence[Sequence[Outcome | Failure]],
    ) -> None:
        """Record the result of every trial."""
        rows = zip(self.records, trials, self._jobs, outcomes, readers, strict=True)
        for record, trial, jobs, found, reader in rows:
            conclude(self._context, record, trial, jobs, found, reader)

    def interrupted(self, reason: str) -> None:
        """Close the runs of trials that were interrupted."""
        for record in self.records:
            record.interrupted(reason)

    def url(self, place: int) -> str:
        """URL of a trial's MLflow run."""
        return self.records[place].url


def _row(context: TrialContext, trial: Trial, url: str) -> dict[str, Any]:
    return {
        "trial": trial.number,
        context.goal.metric: context.goal.shown(trial) or None,
        "failed": trial.reason,
        "in MLflow": url,
    }
