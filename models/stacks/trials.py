"""Trials of one structure from proposals to outcomes, together as a worker process runs them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import torch

from nettuner.models import learners
from nettuner.models.data.dataset import Dataset
from nettuner.models.data.load import load
from nettuner.models.learner import Learner
from nettuner.models.stacks.choice import Speeds, StackChoice, choose, speeds_of
from nettuner.models.stacks.kind import kind_for
from nettuner.models.stacks.program import UnstackableError
from nettuner.models.stacks.remembered import remembered
from nettuner.models.stacks.stack import Stack
from nettuner.models.stacks.training import fit_stack
from nettuner.models.study import Length
from nettuner.models.training.batches import batches_of, total_steps
from nettuner.models.training.course import Course
from nettuner.models.training.device import give_back, in_use, on_cpu, peak_mib
from nettuner.models.training.early_end import EarlyEnd, ToldCurves
from nettuner.models.training.failure import Failure, failure
from nettuner.models.training.job import Job, Outcome, StackOutcome
from nettuner.models.training.lines import Lines
from nettuner.models.training.loop import prepared
from nettuner.models.training.losses import DivergedError
from nettuner.models.training.metrics import asked_for
from nettuner.models.training.pictures import is_shown
from nettuner.models.training.precision import in_full
from nettuner.models.training.process_state import process_state
from nettuner.models.training.trial import concluded, run, show, take

FASTER_ALONE = "one by one is faster, as was measured"


def run_stack(jobs: Sequence[Job], keep_all: bool, choices: Path) -> StackOutcome:
    """Run trials of one structure together, each as if it were alone.

    Args:
        jobs: Jobs on the same rows that start after the same round and end at the same.
        keep_all: True to keep the checkpoint of each; else only the best one's is kept.
        choices: Folder that remembers how members of a structure are trained.
    """
    if len(jobs) == 1:
        return StackOutcome([_attempt(jobs[0])])
    device = torch.device(jobs[0].device)
    with learners.beside(jobs[0].study.learner), in_use(device), in_full(device):
        return _run_together(jobs, keep_all, choices)


def _run_together(jobs: Sequence[Job], keep_all: bool, choices: Path) -> StackOutcome:
    found = learners.find(jobs[0].study.learner)
    assert isinstance(found, type)
    assert jobs[0].data is not None
    dataset = load(jobs[0].data)
    learner = prepared(found, dataset)
    params = [job.proposal.params for job in jobs]
    seeds = [job.seed for job in jobs]
    length, device = jobs[0].study.length, torch.device(jobs[0].device)
    batches = batches_of(dataset.train, learner.now(params[0])["batch_size"], seeds[0])
    steps = total_steps(length, batches.per_epoch)
    speeds = Speeds()

    def measure() -> tuple[StackChoice, str | None]:
        return choose(learner, dataset, params, seeds, steps, device), speeds.reason

    try:
        speeds = speeds_of(learner, params[0], device)
        choice, reason = remembered(choices, learner, dataset, params, steps, measure, device)
        why_not = None if choice.size > 1 else reason or FASTER_ALONE
    except Exception as error:  # one of them fails even alone, and is to fail by itself
        choice = StackChoice()
        why_not = f"a step alone raised {in_words(error)}"
    outcomes: list[Outcome | Failure] = []
    before = process_state()
    while len(outcomes) < len(jobs):
        size = 1 if speeds.reason else choice.size
        chunk = jobs[len(outcomes) : len(outcomes) + size]
        part = _run_chunk(chunk, learner, dataset, length, choice, speeds)
        outcomes += part.outcomes
        why_not = why_not or part.why_not_stacked
        if len(part.outcomes) < len(chunk) or process_state() != before:
            break
        if not keep_all:
            _keep_best(jobs[: len(outcomes)], outcomes)
    return StackOutcome(outcomes, why_not)


def _run_chunk(
    jobs: Sequence[Job],
    learner: Learner,
    dataset: Dataset,
    length: Length,
    choice: StackChoice,
    speeds: Speeds,
) -> StackOutcome:
    if len(jobs) == 1:
        return StackOutcome([_attempt(jobs[0])])
    device, fits = torch.device(jobs[0].device), True
    try:
        stack = kind_for(device)(
            learner,
            [job.proposal.params for job in jobs],
            [job.seed for job in jobs],
            speeds.programs,
            convolution=choice.convolution,
            device=device,
        )
        return StackOutcome(_run_stacked(jobs, stack, dataset, length))
    except UnstackableError as error:
        speeds.reason = why_not = str(error)
    except torch.OutOfMemoryError:
        fits = False
    except Exception as error:  # whatever a user's learner cannot do in a stack, it may do alone
        why_not = f"the stack raised {in_words(error)}"
    if not fits:  # outside of the handler, whose traceback holds the memory
        give_back(device)
        speeds.programs.clear()
        return _halved(
            jobs, lambda some: _run_chunk(some, learner, dataset, length, choice, speeds)
        )
    return StackOutcome(_one_by_one(jobs), why_not)


def _halved(
    jobs: Sequence[Job], run_chunk: Callable[[Sequence[Job]], StackOutcome]
) -> StackOutcome:
    """A stack that did not fit into the memory of its device, as two."""
    half = len(jobs) // 2
    first = run_chunk(jobs[:half])
    if len(first.outcomes) < half:  # one has changed the process
        return first
    second = run_chunk(jobs[half:])
    why_not = first.why_not_stacked or second.why_not_stacked
    return StackOutcome(first.outcomes + second.outcomes, why_not)


def _one_by_one(jobs: Sequence[Job]) -> list[Outcome | Failure]:
    """The outcomes of the first jobs, up to one that changes the process."""
    outcomes: list[Outcome | Failure] = []
    before = process_state()
    while len(outcomes) < len(jobs) and process_state() == before:
        outcomes.append(_attempt(jobs[len(outcomes)]))
    return outcomes


def in_words(error: Exception) -> str:
    """An exception on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _attempt(job: Job) -> Outcome | Failure:
    try:
        return run(job)
    except Exception as error:
        return failure(error)


def _run_stacked(
    jobs: Sequence[Job], stack: Stack, dataset: Dataset, length: Length
) -> list[Outcome | Failure]:
    with ExitStack() as files:
        logs = [files.enter_context(job.log.open("w", encoding="utf-8")) for job in jobs]
        lines = [Lines(log.write, log.flush, 1 / len(jobs)) for log in logs]
        told = ToldCurves(jobs[0].told)
        courses = [Course(job.goal, job.study, EarlyEnd(job, told)) for job in jobs]
        failed: dict[int, Failure] = {}
        over: set[int] = set()
        for member, job in enumerate(jobs):
            if job.start is not None:
                stack.load(member, job.start)
        until = jobs[0].proposal.until or length.rounds
        further = asked_for(jobs[0].study, stack.learner)
        rounds = fit_stack(stack, dataset, length, done=jobs[0].done, until=until, further=further)
        for round_, found in rounds:
            for member in set(range(len(jobs))) - set(failed) - over:
                metrics = found[member]
                try:
                    take(jobs[member], round_, metrics, lines[member])
                except DivergedError as error:
                    failed[member] = failure(error)
                    continue
                assert isinstance(metrics, dict)
                courses[member].add(round_, metrics)
            for member in set(range(len(jobs))) - set(failed) - over:  # they know of each other now
                job, course = jobs[member], courses[member]
                if is_shown(round_, length.rounds):
                    show(job, stack.learner, on_cpu(stack.member(member)), round_)
                ends = course.is_over or round_ == until
                if job.end is not None and (course.is_best if course.best_counts else ends):
                    stack.save(member, job.end, round_)
                if course.is_over:  # its row is trained on, but its results stay as they are
                    over.add(member)
            if len(failed) + len(over) == len(jobs):
                break
        peak = peak_mib(stack.device)
        return [
            failed.get(member) or replace(concluded(job, course, line), peak_mib=peak)
            for member, (job, course, line) in enumerate(zip(jobs, courses, lines, strict=True))
        ]


def _keep_best(jobs: Sequence[Job], outcomes: Sequence[Outcome | Failure]) -> None:
    """Delete the states of all but the best: no other can win the search."""
    scores = [o.score if isinstance(o, Outcome) else math.inf for o in outcomes]
    best = min(range(len(jobs)), key=lambda i: (scores[i], jobs[i].proposal.number))
    for place, job in enumerate(jobs):
        if place != best and job.end is not None:
            job.end.unlink(missing_ok=True)
