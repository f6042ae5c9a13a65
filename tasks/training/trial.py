"""Prefect task that trains one trial in a worker process and records it in MLflow."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.context import TaskRunContext

from nettuner.models.study import Proposal, Study, Trial
from nettuner.models.training.failure import Failure
from nettuner.models.training.job import Job, Outcome, trial_seed
from nettuner.tasks.home import prefect_ui
from nettuner.tasks.memory.trial_record import TrialRecord
from nettuner.tasks.training.context import TrialContext
from nettuner.tasks.training.outcomes import Clock, outcomes_of
from nettuner.tasks.training.trainings import MeanReader, Reader, as_markdown, reader_of
from nettuner.tasks.workers.places import Stay
from nettuner.tasks.workers.pool import InterruptedSearchError


class FailedTrialError(Exception):
    """Carries a failed trial out of its task; the message is its reason."""

    def __init__(self, trial: Trial) -> None:
        super().__init__(trial.reason)
        self.trial = trial


@task(name="train", task_run_name="{name}", cache_policy=NO_CACHE)
def train(context: TrialContext, proposal: Proposal, parent: Trial | None, name: str) -> Trial:
    """Train one proposal, as often as the study says.

    Args:
        context: Context of the search.
        proposal: Proposal to train.
        parent: Trial whose weights to continue from; None starts anew.
        name: Name of the task run.

    Raises:
        FailedTrialError: The trial has no score; the message says why.
        InterruptedSearchError: The search was stopped meanwhile.
    """
    with context.places.one() as stay:
        trial = _trained(context, proposal, parent, name, stay)
    if trial.score is None:
        raise FailedTrialError(trial)
    return trial


def _trained(
    context: TrialContext, proposal: Proposal, parent: Trial | None, name: str, stay: Stay
) -> Trial:
    record = context.record.begin(
        proposal,
        trial_seed(context.study, proposal),
        first_step(context.study, parent),
        node(),
        parent,
        stay.place.shown,
    )
    get_run_logger().info("%s: %s in MLflow: %s", name, dict(proposal.params), record.url)
    jobs = context.jobs(proposal, parent, stay.place.device)
    reader = reader_of(jobs)
    clock = Clock(context.training)
    glance = functools.partial(glance_at, context, record, reader, jobs)
    context.curves.begin(proposal.number, jobs[0].done)
    try:
        (outcomes,) = outcomes_of(context, stay.place, [jobs], clock, glance)
    except InterruptedSearchError as error:
        look(context, record, reader)
        keep_output(context, record, jobs)
        record.interrupted(str(error))
        raise
    for outcome in outcomes:
        if isinstance(outcome, Failure):
            get_run_logger().warning("%s failed: %s\n%s", name, outcome.reason, outcome.details)
    look(context, record, reader, rest=True)
    trial = context.trial(jobs, outcomes, reader, clock.seconds, stay)
    conclude(context, record, trial, jobs, outcomes, reader)
    return trial


def conclude(
    context: TrialContext,
    record: TrialRecord,
    trial: Trial,
    jobs: Sequence[Job],
    outcomes: Sequence[Outcome | Failure],
    reader: Reader,
) -> None:
    """Record what came of a trial, all that it logged was read."""
    keep_output(context, record, jobs)
    for outcome in outcomes:
        if isinstance(outcome, Failure):
            record.keep_traceback(outcome.details)
    if isinstance(reader, MeanReader):
        if trial.succeeded:
            record.report(reader.conclusion(trial.metrics))
        record.remark(as_markdown(jobs, outcomes))
    record.finish(trial, last=is_last(context.study, trial.proposal))


def keep_output(context: TrialContext, record: TrialRecord, jobs: Sequence[Job]) -> None:
    """Record what the trainings of a trial have printed."""
    for job in jobs:
        context.printed.end(f"trial {job.proposal.number}", job.output)
        record.keep_output(job.output)


def glance_at(
    context: TrialContext, record: TrialRecord, reader: Reader, jobs: Sequence[Job]
) -> None:
    """Report what is new of a trial that trains."""
    look(context, record, reader)
    for job in jobs:
        context.printed.look(f"trial {job.proposal.number}", job.output)


def look(context: TrialContext, record: TrialRecord, reader: Reader, rest: bool = False) -> None:
    """Report new metrics and pictures of a worker; `rest` once it has ended."""
    rows = reader.rest() if rest else reader.fresh()
    context.curves.add(record.proposal.number, rows)
    record.report(rows)
    record.show(reader.pictures())


def node() -> str | None:
    """URL of the current task run; None outside of one."""
    context = TaskRunContext.get()
    return f"{prefect_ui()}/runs/task-run/{context.task_run.id}" if context else None


def first_step(study: Study, parent: Trial | None) -> int:
    """The training step (epoch) at which a trial starts or continues."""
    return study.step_after((parent.proposal.until or 0) if parent else 0)


def is_last(study: Study, proposal: Proposal) -> bool:
    """Whether nothing continues this trial."""
    return proposal.member is None or proposal.until == study.rounds
