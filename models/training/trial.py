"""Runs one trial, from proposal to outcome, in a worker process."""

from __future__ import annotations

import copy
import json
import math
import numbers
import random
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from nettuner.models import learners
from nettuner.models.data.load import load
from nettuner.models.learner import Learner, Networks
from nettuner.models.space import Space
from nettuner.models.study import Goal
from nettuner.models.training.job import Job, Outcome, trial_seed
from nettuner.models.training.loop import DivergedError, Measured, fit, prepared
from nettuner.models.training.seeding import derived_seed


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


# Steps are stored in 64 bits.
LARGEST_STEP = 2**63 - 1
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
        self._at = 0.0

    def add(self, step: int, metrics: Mapping[str, float]) -> None:
        """Append the metrics of a round, which ended at `step`, with a timestamp."""
        self.count += 1
        self.step = step
        self._append(step, metrics, is_round=True)

    def conclude(self, metrics: Mapping[str, float]) -> None:
        """Append metrics of the whole trial: at its last step, or as its only round."""
        if self.count:
            self._append(self.step, metrics, is_round=False)
        else:
            self.add(1, metrics)

    def _append(self, step: int, metrics: Mapping[str, float], *, is_round: bool) -> None:
        self.latest |= metrics
        # Later by what MLflow tells apart, or of one step the larger value counts as the latest.
        self._at = max(time.time(), self._at + (0 if is_round else 0.002))
        row = {"step": step, "time": self._at, "metrics": dict(metrics), "round": is_round}
        self._write(json.dumps(row) + "\n")
        self._flush()


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
        lines.add(_step(step), _numbers({**(metrics or {}), **more}))

    answer = function(Hyperparameters(job.proposal.params, job.study.space), report)
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
        lines.conclude(returned)
    return Outcome(job.goal.score(lines.latest), lines.latest, lines.count)


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
