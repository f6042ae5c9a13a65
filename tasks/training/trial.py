"""Prefect task that trains one trial in a worker process and records it in MLflow."""

from __future__ import annotations

import functools
import time

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.context import TaskRunContext

from nettuner.models.by_name import ByName
from nettuner.models.study import Proposal, Study, Trial
from nettuner.models.training.failure import Failure
from nettuner.models.training.job import Outcome, trial_seed
from nettuner.tasks.home import prefect_ui
from nettuner.tasks.memory.trial_record import TrialRecord
from nettuner.tasks.training.context import TrialContext
from nettuner.tasks.training.log_reader import LogReader
from nettuner.tasks.workers.pool import InterruptedSearchError, TrialFailedError

RUN = ByName("nettuner.models.training.trial", "run")


class FailedTrialError(Exception):
    """Carries a failed trial out of its task; the message is its reason."""

    def __init__(self, trial: Trial) -> None:
        super().__init__(trial.reason)
        self.trial = trial


@task(name="train", task_run_name="{name}", cache_policy=NO_CACHE)
def train(context: TrialContext, proposal: Proposal, parent: Trial | None, name: str) -> Trial:
    """Train one proposal.

    Args:
        context: Context of the search.
        proposal: Proposal to train.
        parent: Trial whose weights to continue from; None starts anew.
        name: Name of the task run.

    Raises:
        FailedTrialError: The trial has no score; the message says why.
        InterruptedSearchError: The search was stopped meanwhile.
    """
    record = context.record.begin(
        proposal,
        trial_seed(context.study, proposal),
        first_step(context.study, parent),
        node(),
        parent,
    )
    get_run_logger().info("%s: %s in MLflow: %s", name, dict(proposal.params), record.url)
    job = context.job(proposal, parent)
    reader = LogReader(job)
    clock = Clock()
    try:
        outcome: Outcome | Failure = context.pool.run(
            RUN,
            job,
            seconds=context.study.trial_seconds,
            glance=functools.partial(look, record, reader),
            begin=clock.begin,
            output=job.output,
            own_process=context.kind != "learner",
        )
    except TrialFailedError as error:
        outcome = Failure(str(error), error.details)
        get_run_logger().warning("%s failed: %s\n%s", name, outcome.reason, outcome.details)
    except InterruptedSearchError as error:
        look(record, reader)
        record.keep_output(job.output)
        record.interrupted(str(error))
        raise
    trial = context.trial(job, outcome, reader, clock.seconds)
    look(record, reader, rest=True)
    record.keep_output(job.output)
    record.finish(trial, last=is_last(context.study, proposal))
    if trial.score is None:
        raise FailedTrialError(trial)
    return trial


class Clock:
    """Measures wall time, from when a worker first begins; one that starts is not waited for."""

    def __init__(self) -> None:
        self._began: float | None = None

    def begin(self) -> None:
        """Count from now, unless it counts already."""
        self._began = self._began or time.monotonic()

    @property
    def seconds(self) -> float:
        """Time since then [s]; 0 if none has begun."""
        return 0.0 if self._began is None else time.monotonic() - self._began


def look(record: TrialRecord, reader: LogReader, rest: bool = False) -> None:
    """Report new metrics and pictures of a worker; `rest` once it has ended."""
    record.report(reader.rest() if rest else reader.fresh())
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
