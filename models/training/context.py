"""What a user's own training loop is given, so that it can be watched, paused and continued.

    def train(hyperparameters, context):
        net, optimiser = ...
        context.keep(net=net, optimiser=optimiser)
        for epoch in context.rounds():
            ...
            context.report(val_loss=loss)

Everything else is the user's own; the state is written by `state.py`.
"""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.random import Generator as NumpyGenerator

from nettuner.models.data.load import load
from nettuner.models.study import Length
from nettuner.models.training import state as states
from nettuner.models.training.carried_over import carried_over, plain
from nettuner.models.training.early_end import EarlyEnd
from nettuner.models.training.job import Job
from nettuner.models.training.lines import Lines, numbers
from nettuner.models.training.loop import finite
from nettuner.models.training.pictures import draw
from nettuner.models.training.seeding import OWN, derived_seed, seed_generators
from nettuner.models.training.state import State

if TYPE_CHECKING:
    from nettuner.models.data.dataset import Dataset


def takes_context(function: Any) -> bool:
    """Whether a function's second argument is a context: by its name, or by its annotation."""
    if isinstance(function, type):
        return False
    try:
        _, second, *_ = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # it has none, or fewer
        return False
    hint = second.annotation
    name = hint if isinstance(hint, str) else getattr(hint, "__name__", "")
    return second.name == "context" or name.rpartition(".")[2].strip("\"'") == "Context"


class Context:
    """What a user's own loop is given: its rounds, where it stopped, and whom to report to.

    Args:
        job: Job of the trial.
        lines: Log of the trial.
    """

    def __init__(self, job: Job, lines: Lines) -> None:
        self._job = job
        self._lines = lines
        self._early = EarlyEnd(job)
        self._saved = states.load(job.start) if job.start else None
        self._kept: dict[str, Any] = {}
        self._built: dict[str, Any] = {}
        self._done = self._saved.rounds if self._saved else 0
        self._until = job.proposal.until or job.study.rounds
        self._begun = False
        self._reported = False
        self._left = False
        self._finished = False
        self.round = self._done
        """Round that is trained now, counted from 1; before the first one the rounds trained."""

    @property
    def length(self) -> Length:
        """How long a whole training is, for schedules: `length.rounds`, or `length.steps`."""
        return self._job.study.length

    @property
    def is_last(self) -> bool:
        """Whether this is the last round to train now; others may follow at another time.

        A search that ends trials early decides it when the round is reported.
        """
        return self.round == self._until or self.stopped is not None

    @property
    def stopped(self) -> str | None:
        """Why the training ends early; None if it goes on."""
        return self._early.reason if self.round < self._until else None

    @property
    def steps(self) -> range:
        """Optimiser steps of this round, counted from 0, where the study counts steps.

        Raises:
            ValueError: The study counts epochs, or no round has begun.
        """
        length = self.length
        if length.steps is None or length.steps_per_round is None:
            raise ValueError(
                f"steps are those of a study that gives steps, got epochs={length.rounds}; "
                "train one pass over the data in each round, or give steps"
            )
        if not self._in_rounds:
            raise ValueError(
                "steps are those of a round, got a question before the first one; ask in "
                "`for epoch in context.rounds()`"
            )
        last = min(self.round * length.steps_per_round, length.steps)
        return range((self.round - 1) * length.steps_per_round, last)

    @property
    def seed(self) -> int:
        """Seed of this trial, below 2**32; all segments of a population's member share it."""
        return derived_seed(*self._job.seed, OWN) % 2**32

    @cached_property
    def device(self) -> torch.device:
        """The device to train on, as the study's `device` says."""
        return torch.device(self._job.device)

    @cached_property
    def data(self) -> Dataset | None:
        """The data of the study; None where it names none."""
        return None if self._job.data is None else load(self._job.data)

    @cached_property
    def folder(self) -> Path:
        """An empty folder of this trial's own, which is removed when the trial has ended."""
        folder = self._job.log.with_suffix(".folder")
        shutil.rmtree(folder, ignore_errors=True)  # of a search that was killed
        folder.mkdir(parents=True)
        return folder

    def keep(self, **parts: Any) -> None:
        """Name what the training goes on from; what was saved is restored here.

        Nothing is restored on the first call. Values that were given at construction and have
        changed since, such as a learning rate, stay as they are now.

        Args:
            parts: Whatever has a `state_dict` and a `load_state_dict` (networks, optimisers,
                schedules, scalers ...), generators of torch and numpy, and dicts of plain values.

        Raises:
            TypeError: Something is none of these.
            ValueError: It was called too late, or what was saved does not fit.
        """
        if self._begun:
            raise ValueError(
                f"keep must be called before rounds(), got it in round {self.round}; move it up"
            )
        for name, part in parts.items():
            if name in self._kept:
                raise ValueError(f"keep must name each part once, got {name!r} twice; rename one")
            now = _state(name, part)
            self._built[name] = plain(now)
            if self._saved is not None:
                self._restore(self._saved, name, part, now)
            self._kept[name] = part

    def _restore(self, saved: State, name: str, part: Any, now: Any) -> None:
        if name not in saved.parts:
            raise ValueError(
                f"keep must name what was saved ({', '.join(saved.parts)}), got {name!r}; name "
                "the same parts in every call"
            )
        found = saved.parts[name]
        if not isinstance(part, torch.Generator | NumpyGenerator):
            found = carried_over(saved.built[name], found, now)
        try:
            _load(part, found)
        except Exception as error:
            raise ValueError(
                f"the state of {name!r} after round {saved.rounds} must fit what is built now, "
                f"got {_reason(error)}; name the hyperparameters that fix shapes in the study's "
                "`structural`"
            ) from error

    def rounds(self) -> Iterator[int]:
        """The rounds to train now: from where the training stopped up to where it is to go.

        A round is an epoch, or, in a study that gives steps, so many steps. When one begins, the
        generators of Python, numpy and torch are seeded from (seed, trial, round) alone, so a
        training that was continued equals one that was never interrupted. After the last one the
        state is saved.

        Raises:
            ValueError: It was called before, something must be kept first, or a round had no
                report.
        """
        if self._begun:
            raise ValueError("rounds() must be called once, got a second call; use one loop")
        self._check_kept()
        self._begun = True
        return self._each_round()

    def _each_round(self) -> Iterator[int]:
        try:
            for round_ in range(self._done + 1, self._until + 1):
                self._begin(round_)
                yield round_
                self._check_reported()
                if self.stopped is not None:
                    break
            self._save()
            self._finished = True
        finally:
            self._left = True

    @property
    def _in_rounds(self) -> bool:
        """Whether a round has begun in this call of the function."""
        return self.round > self._done

    def _begin(self, round_: int) -> None:
        self.round = round_
        self._reported = False
        seed_generators(*self._job.seed, round_)

    def _check_reported(self) -> None:
        if not self._reported:
            raise ValueError(
                f"every round must be reported, got none of round {self.round}; call "
                f"context.report({self._job.goal.metric}=...) at its end"
            )

    def _check_kept(self) -> None:
        asked = "call context.keep(net=net, optimiser=optimiser) before rounds()"
        if self._saved is not None and self._saved.parts.keys() != self._kept.keys():
            raise ValueError(
                f"a training goes on from all that was saved ({', '.join(self._saved.parts)}), "
                f"got {', '.join(self._kept) or 'no keep'}; {asked}"
            )
        if self._is_continued and not self._kept:
            raise ValueError(
                f"a training that is to be continued after round {self._until} of "
                f"{self.length.rounds} must say what it goes on from, got no keep; {asked}"
            )

    @property
    def _is_continued(self) -> bool:
        return self._until < self.length.rounds

    def report(self, metrics: Mapping[str, float] | None = None, /, **more: float) -> None:
        """Record the metrics of this round, once; after the loop, those of the whole training.

        Args:
            metrics: Metrics by name, the study's among them.
            more: Further ones: `report(val_loss=0.5)`.

        Raises:
            TypeError: A metric is no number.
            ValueError: This round was reported before, or the study's metric is missing.
            DivergedError: The study's metric is not finite.
        """
        found = numbers({**(metrics or {}), **more})
        if self._left and self._lines.count:
            self._lines.conclude(found)
            return
        goal = self._job.goal
        if not self._in_rounds:
            raise ValueError(
                "metrics must be those of a round, got a report before the first one; report in "
                "`for epoch in context.rounds()`"
            )
        if self._reported:
            raise ValueError(
                f"a round must be reported once, got round {self.round} again; report all of its "
                "metrics together"
            )
        if goal.metric not in found:
            raise ValueError(
                f"a report must have the study's metric {goal.metric!r}, got "
                f"{', '.join(found) or 'nothing'}; add it or change the study's metric"
            )
        self._reported = True
        self._lines.add(self._job.study.step_after(self.round), found)
        finite(goal, found, f"after round {self.round}")
        self._early.add(self.round, found)
        self._early.decide()

    def show(self, name: str, image: Any) -> None:
        """Show a picture beside the metrics of this round.

        Args:
            name: Name of the picture.
            image: Array or tensor of shape [height, width] or [height, width, 3]: whole numbers
                from 0 to 255, or others from 0 to 1.

        Raises:
            ValueError: It has another shape.
        """
        array = np.asarray(image.detach().cpu() if isinstance(image, torch.Tensor) else image)
        if array.ndim != 2 and (array.ndim != 3 or array.shape[2] not in (1, 3, 4)):
            raise ValueError(
                "a picture must have the shape [height, width] or [height, width, 3], got "
                f"{list(array.shape)}; reshape it"
            )
        if array.dtype.kind not in "iu":
            array = (np.clip(np.nan_to_num(array.astype(np.float64)), 0, 1) * 255).round()
        draw(self._job, name, self.round, np.clip(array, 0, 255).astype(np.uint8))

    def conclude(self, answer: Any) -> None:
        """Check what the function did, and take what it returned as metrics of the whole training.

        Args:
            answer: Return value of the function.

        Raises:
            ValueError: It never asked for its rounds, or left them too early.
        """
        if not self._begun:
            raise ValueError(
                "a function with a context must train in its rounds, got one that never asked for "
                "them; write `for epoch in context.rounds():`"
            )
        if not self._finished and self._is_continued:
            raise ValueError(
                f"the rounds must be trained up to {self._until}, where the training is to be "
                f"continued, got a loop that was left in round {self.round}; let it end by itself"
            )
        if not self._lines.count:
            raise ValueError(
                f"a function must report {self._job.goal.metric!r}, got no report; call "
                f"context.report({self._job.goal.metric}=...) at the end of each round"
            )
        if not self._finished:  # it has stopped early by a rule of its own
            self._save()
        if answer is not None:
            named = answer if isinstance(answer, Mapping) else {self._job.goal.metric: answer}
            self._lines.conclude(numbers(named))
        finite(self._job.goal, self._lines.latest, "at the end")

    def close(self) -> None:
        """Remove the trial's folder."""
        if "folder" in self.__dict__:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _save(self) -> None:
        if self._job.end is not None and self._kept:
            parts = {name: _state(name, part) for name, part in self._kept.items()}
            states.save(self._job.end, State(self.round, parts, self._built))


def _state(name: str, part: Any) -> Any:
    """The state of a part, as nested plain values and tensors."""
    if isinstance(part, torch.Generator):
        return {"state": part.get_state()}
    if isinstance(part, NumpyGenerator):
        return dict(part.bit_generator.state)
    if callable(getattr(part, "state_dict", None)) and hasattr(part, "load_state_dict"):
        return part.state_dict()
    if isinstance(part, dict):
        return part
    raise TypeError(
        f"{name} must have state_dict and load_state_dict, be a generator or a dict of plain "
        f"values, got {type(part).__name__}; keep what it is made of"
    )


def _load(part: Any, found: Any) -> None:
    if isinstance(part, torch.Generator):
        part.set_state(found["state"])
    elif isinstance(part, NumpyGenerator):
        part.bit_generator.state = found
    elif isinstance(part, dict) and not hasattr(part, "load_state_dict"):
        part.clear()
        part.update(found)
    else:
        part.load_state_dict(found)


def _reason(error: Exception) -> str:
    """Why a state does not fit, on one line; torch's first one names no parameter."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[:2][-1] if lines else type(error).__name__
