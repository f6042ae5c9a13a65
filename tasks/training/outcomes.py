"""Runs the trainings of trials in worker processes, together or one after another."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from prefect import get_run_logger

from nettuner.models.by_name import ByName
from nettuner.models.training.failure import Failure
from nettuner.models.training.job import Job, Outcome, StackOutcome
from nettuner.tasks.training.context import TrialContext
from nettuner.tasks.training.share_out import batched
from nettuner.tasks.workers.places import Place
from nettuner.tasks.workers.pool import TrialFailedError

RUN = ByName("nettuner.models.training.trial", "run")
RUN_STACK = ByName("nettuner.models.stacks.trials", "run_stack")
# Attempts to train a stack whole, as the networks of others differ by rounding.
ATTEMPTS = 2

Glance = Callable[[], None]


class Clock:
    """Measures wall time, from when a worker first begins; one that starts is not waited for.

    Args:
        begun: Function to call whenever a worker begins.
    """

    def __init__(self, begun: Callable[[], None]) -> None:
        self._begun = begun
        self._began: float | None = None

    def begin(self) -> None:
        """Count from now, unless it counts already."""
        self._began = self._began or time.monotonic()
        self._begun()

    @property
    def seconds(self) -> float:
        """Time since then [s]; 0 if none has begun."""
        return 0.0 if self._began is None else time.monotonic() - self._began


def outcomes_of(
    context: TrialContext,
    place: Place,
    trials: Sequence[Sequence[Job]],
    clock: Clock,
    glance: Glance,
) -> list[list[Outcome | Failure]]:
    """What came of the trainings of each trial, in their order.

    After one that failed, the later ones of its trial are given up.

    Args:
        context: Context of the search.
        place: Place where they are run.
        trials: Jobs of each trial; all agree in their structure.
        clock: Clock that the first worker starts.
        glance: Function to call now and then meanwhile.

    Raises:
        InterruptedSearchError: The search was stopped meanwhile.
    """
    found: list[list[Outcome | Failure]] = [[] for _ in trials]
    for part in _parts(context, trials):
        going = [(trial, job) for trial, job in part if not _has_failed(found[trial])]
        if not going:
            continue
        run = _alone if len(going) == 1 else _together
        outcomes = run(context, place, [job for _, job in going], clock, glance)
        for (trial, _), outcome in zip(going, outcomes, strict=True):
            found[trial].append(outcome)
    return found


def _has_failed(outcomes: Sequence[Outcome | Failure]) -> bool:
    return any(isinstance(outcome, Failure) for outcome in outcomes)


def _parts(
    context: TrialContext, trials: Sequence[Sequence[Job]]
) -> Iterator[Sequence[tuple[int, Job]]]:
    """The jobs that are run together, each with the position of its trial; first trainings first.

    They are on the same rows: of several folds each is a part of its own.
    """
    columns = [list(enumerate(same)) for same in zip(*trials, strict=True)]
    together = columns if context.study.folds else [list(chain(*columns))]
    for jobs in together:
        yield from batched(jobs, context.most_together or len(jobs))


def _alone(
    context: TrialContext, place: Place, jobs: Sequence[Job], clock: Clock, glance: Glance
) -> list[Outcome | Failure]:
    (job,) = jobs
    try:
        outcome: Outcome = context.pool.run(
            RUN,
            job,
            seconds=context.study.trial_seconds,
            glance=glance,
            begin=clock.begin,
            output=job.output,
            own_process=context.kind != "learner",
            place=place,
        )
    except TrialFailedError as error:
        return [Failure(str(error), error.details)]
    return [outcome]


def _together(
    context: TrialContext, place: Place, jobs: Sequence[Job], clock: Clock, glance: Glance
) -> list[Outcome | Failure]:
    """As one program. If the worker dies twice, or a trial changes its process, one by one."""

    def run(some: Sequence[Job]) -> StackOutcome:
        first = some[0]
        keep_all = first.proposal.member is not None or first.training is not None or len(some) == 1
        call = (RUN_STACK, some, keep_all, context.choices)
        outcome: StackOutcome = context.pool.run(
            *call, glance=glance, begin=clock.begin, output=first.output, place=place
        )
        return outcome

    found: list[Outcome | Failure] = []
    for _ in range(ATTEMPTS):
        try:
            together = run(jobs)
        except TrialFailedError as error:  # its process died, for whatever reason
            get_run_logger().warning("%s: they are tried again", error)
            continue
        if together.why_not_stacked is not None:
            get_run_logger().info("trained one by one: %s", together.why_not_stacked)
            context.record.remark(f"Trials were trained one by one: {together.why_not_stacked}.")
        found = list(together.outcomes)
        break
    for job in jobs[len(found) :]:
        try:
            found += run([job]).outcomes
        except TrialFailedError as error:
            found.append(Failure(str(error), error.details))
    return found
