"""Runs one trial, from proposal to outcome, in a worker process."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import torch

from nettuner.models import learners
from nettuner.models.data.load import load
from nettuner.models.learner import Learner, Networks
from nettuner.models.space import Space
from nettuner.models.training.context import Context
from nettuner.models.training.course import Course
from nettuner.models.training.deterministic import deterministic
from nettuner.models.training.device import in_use, on_cpu, out_of_memory, peak_mib
from nettuner.models.training.early_end import EarlyEnd, StoppedEarly
from nettuner.models.training.job import Job, Outcome
from nettuner.models.training.lines import Lines, numbers
from nettuner.models.training.loop import Measured, finite, fit, prepared
from nettuner.models.training.losses import DivergedError
from nettuner.models.training.metrics import asked_for
from nettuner.models.training.own_loop import Loop, own_loop
from nettuner.models.training.pictures import draw, is_shown
from nettuner.models.training.precision import in_full
from nettuner.models.training.seeding import seed_generators


def run(job: Job) -> Outcome:
    """Run one trial; its score comes from the metric after its last round.

    Raises:
        DivergedError: A loss or the metric is not finite.
        OutOfMemoryError: It took more memory than its device has.
        IndeterminateError: An operation is not deterministic, though the study asks for it.
        Exception: The learner or function raised it.
    """
    device, same_bits = torch.device(job.device), deterministic(job.study.deterministic)
    with learners.beside(job.study.learner), in_use(device), same_bits:
        try:
            outcome = _run(job)
        except torch.OutOfMemoryError as error:
            raise OutOfMemoryError(out_of_memory(device)) from error
        return replace(outcome, peak_mib=peak_mib(device))


class OutOfMemoryError(MemoryError):
    """A trial took more memory than its device has."""


def _run(job: Job) -> Outcome:
    found = learners.find(job.study.learner)
    with job.log.open("w", encoding="utf-8") as log:
        lines = Lines(log.write, log.flush)
        loop = own_loop(found)
        if loop is not None:
            return _run_loop(job, loop, lines)
        if isinstance(found, type):
            with in_full(torch.device(job.device)):  # a loop of one's own has torch's settings
                return _run_learner(job, found, lines)
        return _run_function(job, found, lines)


def take(job: Job, round_: int, found: Measured | DivergedError, lines: Lines) -> None:
    """Log the metrics of a round.

    Raises:
        DivergedError: The round diverged, or the metric is not finite.
    """
    if isinstance(found, DivergedError):
        raise found
    lines.add(job.study.step_after(round_), found)
    finite(job.goal, found, f"after round {round_}")


# Steps are stored in 64 bits.
LARGEST_STEP = 2**63 - 1


def show(job: Job, learner: Learner, networks: Networks, round_: int) -> None:
    """Write the learner's pictures to files for the search to collect."""
    with torch.no_grad():
        pictures = learner.pictures(networks)
    for name, picture in pictures.items():
        draw(job, name, round_, picture)


def _run_learner(job: Job, found: type[Learner], lines: Lines) -> Outcome:
    assert job.data is not None
    dataset = load(job.data)
    learner = copy.copy(prepared(found, dataset))  # so that attributes it sets end with the trial
    length = job.study.length
    course = Course(job.goal, job.study, EarlyEnd(job))

    def watch(round_: int, networks: Networks) -> None:
        if is_shown(round_, length.rounds):
            show(job, learner, on_cpu(networks), round_)

    rounds = fit(
        learner,
        dataset,
        job.proposal.params,
        length,
        seed=job.seed,
        until=job.proposal.until,
        start=job.start,
        end=job.end,
        watch=watch,
        course=course,
        further=asked_for(job.study, learner),
        device=torch.device(job.device),
    )
    for round_, metrics in rounds:
        take(job, round_, metrics, lines)
    return concluded(job, course, lines)


def concluded(job: Job, course: Course, lines: Lines) -> Outcome:
    """The outcome of a training; where the best round counts, its metrics are the trial's."""
    if course.best_counts:
        best = {name: value for name, value in course.best.items() if name.startswith("val_")}
        lines.conclude({**best, "best_round": float(course.best_round)})
    stopped = course.stopped if course.round < (job.proposal.until or job.study.rounds) else None
    return Outcome(job.goal.score(lines.latest), lines.latest, lines.count, stopped)


def _run_function(job: Job, function: learners.Function, lines: Lines) -> Outcome:
    """Call the user's f(hyperparameters, report) with the usual global generators seeded."""
    seed_generators(*job.seed)
    early = EarlyEnd(job)

    def report(step: int, metrics: Mapping[str, float] | None = None, /, **more: float) -> None:
        """Record metrics at a step: report(1, {"loss": 0.5}) or report(1, loss=0.5)."""
        found = numbers({**(metrics or {}), **more})
        if early.reason is None:
            lines.add(_step(step), found)
            early.add(_step(step), found)
        if early.decide() is not None:
            raise StoppedEarly(early.reason)

    answer = None
    with suppress(StoppedEarly):
        answer = function(Hyperparameters(job.proposal.params, job.study.space), report)
    if early.reason is not None:
        finite(job.goal, lines.latest, "at the end")
        return Outcome(job.goal.score(lines.latest), lines.latest, lines.count, early.reason)
    _check_reports(job, early)
    if answer is None:
        answer = {}
    elif not isinstance(answer, Mapping):
        answer = {job.goal.metric: answer}
    returned = numbers(answer)
    metrics = lines.latest | returned
    if job.goal.metric not in metrics:
        raise ValueError(
            f"the function must report or return {job.goal.metric!r}, got "
            f"{', '.join(metrics) or 'nothing'}; return it or change the study's metric"
        )
    finite(job.goal, metrics, "at the end")
    if metrics != lines.latest:
        lines.conclude(returned)
    return Outcome(job.goal.score(lines.latest), lines.latest, lines.count)


def _check_reports(job: Job, early: EarlyEnd) -> None:
    """Refuse a function that could not be ended early, as it reports nothing.

    Raises:
        ValueError: It has reported nothing, or not the study's metric.
    """
    if job.rule is not None and not early.curve:
        raise ValueError(
            f"a search that ends trials early needs {job.goal.metric!r} while they train, got no "
            f"report of it; call report(step, {job.goal.metric}=...) after each round, or choose a "
            "search without early ends"
        )


def _run_loop(job: Job, loop: Loop, lines: Lines) -> Outcome:
    """Call the user's f(hyperparameters, context)."""
    seed_generators(*job.seed)
    context = Context(job, lines)
    try:
        answer = None
        with suppress(StoppedEarly):
            answer = loop(Hyperparameters(job.proposal.params, job.study.space), context)
        context.conclude(answer)
    finally:
        context.close()
    return Outcome(job.goal.score(lines.latest), lines.latest, lines.count, context.stopped)


class Hyperparameters(dict[str, Any]):
    """Hyperparameters of one trial; those whose condition is not met are absent.

    Args:
        params: Values by name.
        space: Space they were drawn from.
    """

    def __init__(self, params: Mapping[str, Any], space: Space) -> None:
        super().__init__(params)
        self._space = space

    def __missing__(self, name: str) -> Any:
        """Say why it is absent.

        Raises:
            KeyError: Always.
        """
        known = dict(self._space.items())
        if name not in known:
            raise KeyError(f"{name}: the space has no such hyperparameter; add it to the study")
        raise KeyError(
            f"{name}: it exists only when {known[name].when} and this trial has "
            f"{dict(self)}; read it with .get({name!r})"
        )


def _step(step: Any) -> int:
    found = int(step)
    if abs(found) > LARGEST_STEP:
        raise ValueError(f"a step must be at most 2**63 - 1, got {found}; report a smaller one")
    return found
