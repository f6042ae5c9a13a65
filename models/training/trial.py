"""Runs one trial, from proposal to outcome, in a worker process."""

from __future__ import annotations

import copy
import json
import math
import numbers
import random
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nettuner.models import learners
from nettuner.models.data.load import load
from nettuner.models.learner import Learner, Networks
from nettuner.models.study import Goal, Proposal, Study
from nettuner.models.training.loop import DivergedError, Measured, derived_seed, fit, prepared


@dataclass(frozen=True)
class Job:
    """Everything a worker needs to run one trial.

    Args:
        study: Study of the trial.
        goal: Metric and direction.
        proposal: Hyperparameters, and the round to train up to.
        log: Path to which each round's metrics are appended as a JSON line.
        start: Path of the checkpoint to continue from; None starts anew.
        end: Path for the final checkpoint; None for functions, which have none.
        done: Rounds trained when `start` was written.
    """

    study: Study
    goal: Goal
    proposal: Proposal
    log: Path
    start: Path | None = None
    end: Path | None = None
    done: int = 0

    def picture(self, name: str, step: int) -> Path:
        """Path of a picture drawn at this step, a numpy array."""
        return self.log.with_name(f"{self.log.stem}.{name}.{step}.npy")


@dataclass(frozen=True)
class Outcome:
    """The result of a trial that succeeded."""

    score: float
    metrics: Mapping[str, float]
    rounds: int


@dataclass(frozen=True)
class Failure:
    """Why a trial has no score, and the traceback."""

    reason: str
    details: str = ""


def failure(error: BaseException) -> Failure:
    """An exception as text, because not every exception can be pickled between processes."""
    trace = "".join(traceback.format_exception(error))
    return Failure(f"{type(error).__name__}: {error}", trace)


def run(job: Job) -> Outcome:
    """Run one trial; its score comes from the metric after its last round.

    Raises:
        DivergedError: A loss or the metric is not finite.
        Exception: The learner or function raised it.
    """
    found = learners.find(job.study.learner)
    with learners.beside(job.study.learner), job.log.open("w", encoding="utf-8") as log:
        lines = Lines(log.write, log.flush)
        if isinstance(found, type):
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
    _finite(job.goal, found, f"after round {round_}")


# How often pictures are drawn in a whole training.
SHOWN = 5


def is_shown(round_: int, rounds: int) -> bool:
    """Whether pictures are drawn after a round: a few times in a training, and at its end."""
    return round_ == rounds or round_ % math.ceil(rounds / SHOWN) == 0


def show(job: Job, learner: Learner, networks: Networks, round_: int) -> None:
    """Write the learner's pictures to files for the search to collect."""
    with torch.no_grad():
        pictures = learner.pictures(networks)
    for name, picture in pictures.items():
        path = job.picture(name, job.study.step_after(round_))
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            np.save(file, picture)
        partial.replace(path)


class Lines:
    """Writes each round's metrics as one JSON line."""

    def __init__(self, write: Callable[[str], Any], flush: Callable[[], Any]) -> None:
        self._write = write
        self._flush = flush
        self.latest: dict[str, float] = {}
        self.count = 0
        self.step = 0

    def add(self, step: int, metrics: Mapping[str, float]) -> None:
        """Append the metrics of `step` with a timestamp."""
        self.latest |= metrics
        self.count += 1
        self.step = step
        row = {"step": step, "time": time.time(), "metrics": dict(metrics)}
        self._write(json.dumps(row) + "\n")
        self._flush()


def trial_seed(study: Study, proposal: Proposal) -> tuple[int, int]:
    """The seed of a trial; all segments of a population member share one."""
    member = proposal.number if proposal.member is None else proposal.member
    return study.seed, member


def _run_learner(job: Job, found: type[Learner], lines: Lines) -> Outcome:
    assert job.study.data is not None
    dataset = load(job.study.data)
    learner = copy.copy(prepared(found, dataset))  # so that attributes it sets end with the trial
    length = job.study.length

    def watch(round_: int, networks: Networks) -> None:
        if is_shown(round_, length.rounds):
            show(job, learner, networks, round_)

    rounds = fit(
        learner,
        dataset,
        job.proposal.params,
        length,
        seed=trial_seed(job.study, job.proposal),
        until=job.proposal.until,
        start=job.start,
        end=job.end,
        watch=watch,
    )
    for round_, metrics in rounds:
        take(job, round_, metrics, lines)
    return Outcome(job.goal.score(lines.latest), lines.latest, lines.count)


def _run_function(job: Job, function: learners.Function, lines: Lines) -> Outcome:
    """Call the user's f(hyperparameters, report) with the usual global generators seeded."""
    seed = derived_seed(*trial_seed(job.study, job.proposal))
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - what users' code draws from
    torch.manual_seed(seed)

    def report(step: int, metrics: Mapping[str, float] | None = None, /, **more: float) -> None:
        """Record metrics at a step: report(1, {"loss": 0.5}) or report(1, loss=0.5)."""
        lines.add(int(step), _numbers({**(metrics or {}), **more}))

    answer = function(dict(job.proposal.params), report)
    if answer is None:
        answer = {}
    elif not isinstance(answer, Mapping):
        answer = {job.goal.metric: answer}
    returned = _numbers(answer)
    metrics = lines.latest | returned
    if job.goal.metric not in metrics:
        raise ValueError(
            f"the function must report or return {job.goal.metric!r}, got "
            f"{', '.join(metrics) or 'nothing'}; return it or change the study's metric"
        )
    _finite(job.goal, metrics, "at the end")
    if metrics != lines.latest:
        lines.add(lines.step + 1, returned)
    return Outcome(job.goal.score(lines.latest), lines.latest, lines.count)


def _numbers(metrics: Mapping[Any, Any]) -> dict[str, float]:
    """The metrics as floats; arrays and tensors of one number are converted."""
    return {str(name): _number(str(name), value) for name, value in metrics.items()}


def _number(name: str, value: Any) -> float:
    try:
        number = value.item() if hasattr(value, "item") else value
    except (ValueError, RuntimeError):  # more than one
        number = value
    if isinstance(number, numbers.Real):
        return float(number)
    raise TypeError(f"{name} must be a number, got {type(value).__name__}; report it as a float")


def _finite(goal: Goal, metrics: Mapping[str, float], when: str) -> None:
    value = metrics[goal.metric]
    if not math.isfinite(value):
        raise DivergedError(f"{goal.metric} is {value} {when}")
