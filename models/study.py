"""The vocabulary of a search: study, goal, proposal, trial. All of it frozen.

A study says what to train, on what data, over which search space, towards which metric.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    model_validator,
)

from nettuner.models.curve import Curve
from nettuner.models.data.sources import AnySource
from nettuner.models.encodable import encodable, storable
from nettuner.models.runner_choice import RunnerChoice
from nettuner.models.space import Number, Params, Space
from nettuner.models.spread import deviation

Direction = Literal["minimize", "maximize"]
Count = Annotated[StrictInt, Field(ge=1)]
Seconds = Annotated[Number, Field(gt=0)]
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
DEVICE = re.compile(r"auto|cpu|mps|cuda(:(0|[1-9][0-9]*))?")


def _device(given: str) -> str:
    if not DEVICE.fullmatch(given):
        raise ValueError(
            f"must be auto, cpu, cuda, cuda with a number (cuda:1) or mps, got {given!r}; give one "
            "of them"
        )
    return given


class Stop(BaseModel):
    """When a search ends; the first rule that is met decides."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trials: Count | None = Field(None, description="After this many trials.")
    seconds: Seconds | None = Field(
        None, description="No new trial starts after this many seconds of wall time."
    )
    target: Number | None = Field(None, description="As soon as the metric is this good.")
    patience: Count | None = Field(
        None, description="After this many trials in a row without a new best."
    )
    failures: Count = Field(
        10, description="Give up after this many failed trials in a row: something is broken."
    )


class StrategyChoice(BaseModel):
    """Which strategy searches, with its own settings beside its name."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: StrictStr = Field(description="The strategy: a file of tasks/strategies.")

    @property
    def settings(self) -> dict[str, Any]:
        """Everything given beside the name."""
        return dict(self.model_extra or {})


def _named(given: object) -> object:
    return {"name": given} if isinstance(given, str) else given


def _texts(given: object) -> Iterator[str]:
    """All text in nested plain values."""
    if isinstance(given, str):
        yield given
    elif isinstance(given, Mapping):
        for name, value in given.items():
            yield from (*_texts(name), *_texts(value))
    elif isinstance(given, Sequence):
        for value in given:
            yield from _texts(value)


def _named_by_people(given: object) -> object:
    """All that is shown as a name; columns of a table may be split at any character."""
    if isinstance(given, Mapping):
        return {name: value for name, value in given.items() if name != "data"}
    return given


class Study(BaseModel):
    """What to train, on what data, over which space, towards which metric, and how long."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[StrictStr, Field(pattern=NAME, max_length=100)] = Field(
        description="Names the experiment in MLflow: letters, digits, dot, dash, underscore."
    )
    learner: StrictStr = Field(
        description="What is trained: a built-in learner (mlp, cnn, gan, text_classifier, "
        "translator), "
        "`file.py:Class`, `package.module:Class`, or a function `file.py:f` with "
        "f(hyperparameters, context) or f(hyperparameters, report)."
    )
    data: AnySource | None = Field(
        None, description="What it is trained on; a function brings its own."
    )
    space: Space = Field(description="The hyperparameters to search, each a distribution.")
    metric: StrictStr = Field(description="The metric to improve, for example val_accuracy.")
    metrics: tuple[StrictStr, ...] = Field(
        (),
        description="Metrics to report beyond the learner's own: balanced_accuracy, macro_f1, "
        "roc_auc, average_precision, top5_accuracy, mape, or `file.py:f` with f(predictions, "
        "targets); as val_NAME and test_NAME.",
    )
    direction: Direction | None = Field(
        None, description="Whether less or more of the metric is better; learners know theirs."
    )
    epochs: Count | None = Field(None, description="Passes over the training data, per trial.")
    steps: Count | None = Field(None, description="Optimiser steps per trial, instead of epochs.")
    evaluate_every: Count | None = Field(
        None, description="With steps: steps between two validations (default: a twentieth)."
    )
    seed: Annotated[StrictInt, Field(ge=0, lt=2**32)] = Field(
        0, description="Fixes proposals, initial weights, batch order and dropout."
    )
    repeats: Count = Field(
        1,
        description="Trainings of each trial, with different seeds; its score is their mean, and "
        "their spread is recorded.",
    )
    folds: Annotated[StrictInt, Field(ge=2)] | None = Field(
        None,
        description="Cross-validation: training and validation rows are divided into so many "
        "parts; each trial is trained as often, every time validated on another one.",
    )
    strategy: Annotated[
        StrategyChoice,
        BeforeValidator(_named, json_schema_input_type=StrategyChoice | str),
    ] = Field(default=StrategyChoice(name="random"), description="How the space is searched.")
    width: Count | None = Field(
        None,
        description="Trials in flight at once (default: one for each core; on GPUs one for each "
        "place, which is also the most).",
    )
    device: Annotated[StrictStr, AfterValidator(_device)] = Field(
        "auto",
        description="Where trials are trained: cpu, cuda (the GPUs of this machine), cuda:1 (its "
        "second one alone), mps (of a Mac), or auto: on an accelerator where there is one, unless "
        "a measurement says that the CPU is faster.",
    )
    devices: tuple[Annotated[StrictInt, Field(ge=0)], ...] | None = Field(
        None,
        min_length=1,
        description="Where trials are trained on GPUs, the numbers of those used, from 0 (default: "
        "all that are visible).",
    )
    per_device: Count = Field(
        1, description="Where trials are trained on an accelerator, how many share one."
    )
    runner: Annotated[
        RunnerChoice,
        BeforeValidator(_named, json_schema_input_type=RunnerChoice | str),
    ] = Field(
        default=RunnerChoice(),
        description="What spreads the trials over machines: local (processes of this one), or a "
        "file of tasks/runners.",
        json_schema_extra={"default": "local"},
    )
    deterministic: StrictBool = Field(
        False,
        description="Whether a training gives the same bits whenever it is repeated on the same "
        "device: by slower operations, and a trial that needs one without such a version fails.",
    )
    stack: Count | None = Field(
        None,
        description="Most trials that one worker trains together as one program, where their "
        "structure agrees (default: as many as is fast and fits in memory; 1: none).",
    )
    threads: Count = Field(1, description="Threads of torch and BLAS for each trial.")
    structural: tuple[StrictStr, ...] | None = Field(
        None,
        description="For a function with a context: the hyperparameters that stay with its weights "
        "in a population, as they fix shapes (default: all but the real-valued ones).",
    )
    score: Literal["last", "best"] = Field(
        "last",
        description="The round whose metric and weights count: the last one, or the best one. "
        "Members of a population go on from their last round.",
    )
    patience_rounds: Count | None = Field(
        None,
        description="A trial ends after this many rounds (epochs, or validations of a study that "
        "counts steps) in a row without a better metric; not with populations.",
    )
    trial_seconds: Seconds | None = Field(
        None, description="A trial that takes longer is stopped and counts as failed."
    )
    stop: Stop = Field(default=Stop(), description="When the search ends.")

    finals: Count | None = Field(
        None,
        description="At the end, the best so many configurations are trained again with other "
        "seeds, and the one with the best mean wins.",
    )
    finals_seeds: Count = Field(3, description="Seeds of each configuration in the finals.")

    @model_validator(mode="before")
    @classmethod
    def _text_can_be_stored(cls, given: Any) -> Any:
        for text in _texts(given):
            if not storable(text):
                raise ValueError(
                    "text must be text that can be stored (UTF-8 without NUL), got "
                    f"{text!a}; write it otherwise"
                )
        for text in _texts(_named_by_people(given)):
            if encodable(text) != text:
                raise ValueError(
                    f"text must be text without control characters, got {text!a}; "
                    "write it otherwise"
                )
        return given

    @model_validator(mode="after")
    def _length_is_given_once(self) -> Study:
        if self.epochs is not None and self.steps is not None:
            raise ValueError(
                f"epochs: give epochs or steps, not both, got epochs={self.epochs} and "
                f"steps={self.steps}; drop one"
            )
        if self.evaluate_every is not None and self.steps is None:
            raise ValueError(
                f"evaluate_every: goes with steps, got evaluate_every={self.evaluate_every} "
                "without steps; drop it or give steps"
            )
        return self

    @model_validator(mode="after")
    def _devices_are_given_once(self) -> Study:
        if self.devices is not None and ":" in self.device:
            raise ValueError(
                f"device: names one GPU, got {self.device} beside devices={list(self.devices)}; "
                "drop one of them"
            )
        if len(set(self.devices or ())) < len(self.devices or ()):
            raise ValueError(
                f"devices: must differ, got {list(self.devices or ())}; for several trials on one "
                "GPU give per_device"
            )
        return self

    @model_validator(mode="after")
    def _a_runner_gives_the_devices(self) -> Study:
        if self.runner.is_local:
            return self
        if self.device not in ("auto", "cuda" if self.runner.gpus else "cpu"):
            raise ValueError(
                f"device: with a runner, trials get what runner.gpus says, got {self.device} "
                f"beside gpus={self.runner.gpus:g}; drop device, or correct gpus"
            )
        if self.devices is not None or self.per_device != 1:
            key = "per_device" if self.devices is None else "devices"
            given = self.per_device if self.devices is None else list(self.devices)
            raise ValueError(
                f"{key}: is for GPUs of this machine, got {given} beside the runner "
                f"{self.runner.name}; give runner.gpus instead, 0.5 for two trials on each"
            )
        return self

    @model_validator(mode="after")
    def _stacks_or_the_same_bits(self) -> Study:
        if self.deterministic and self.stack is not None and self.stack > 1:
            raise ValueError(
                f"stack: the size of stacks is measured, and with it their bits change, got "
                f"{self.stack} beside deterministic: true; drop one of them"
            )
        return self

    @property
    def rounds(self) -> int:
        """Validations in a whole trial: one for each epoch, or one every `steps_per_round` steps.

        Zero where neither is given: a function decides for itself.
        """
        if self.steps is not None:
            return math.ceil(self.steps / self.steps_per_round)
        return self.epochs or 0

    @property
    def steps_per_round(self) -> int:
        """Optimiser steps between two validations of a study that counts steps."""
        return self.evaluate_every or math.ceil((self.steps or 0) / 20)

    @property
    def trainings(self) -> int:
        """Networks that are trained for one trial; with repeats each has folds of its own."""
        return self.repeats * (self.folds or 1)

    @property
    def trainings_on_same_rows(self) -> int:
        """Those of them that could be one program: every fold has rows of its own."""
        return 1 if self.folds else self.repeats

    @property
    def unit(self) -> str:
        """What `rounds` counts, as a word."""
        return "epochs" if self.steps is None else f"rounds of {self.steps_per_round} steps"

    @property
    def length(self) -> Length:
        """How long one whole trial trains."""
        if self.steps is None:
            return Length(self.rounds)
        return Length(self.rounds, self.steps_per_round, self.steps)

    def step_after(self, round_: int) -> int:
        """The training step (epoch) at which a round ends; 0 before the first one."""
        return min(round_ * self.steps_per_round, self.steps) if self.steps else round_


@dataclass(frozen=True)
class Length:
    """How long to train.

    Args:
        rounds: Rounds in a whole trial; each ends with a validation.
        steps_per_round: Optimiser steps in a round; None for one pass over the data.
        steps: Optimiser steps of a whole trial, where it need not end with a full round.
    """

    rounds: int
    steps_per_round: int | None = None
    steps: int | None = None


@dataclass(frozen=True)
class Goal:
    """The metric to improve; converts it to a score (lower is better) and back."""

    metric: str
    direction: Direction

    def shown(self, trial: Trial) -> str:
        """The metric of a trial for people, with its spread where it is known; else empty."""
        if trial.score is None:
            return ""
        value = f"{self.value(trial.score):.6g}"
        if trial.spread is None:
            return value
        return f"{value} ± {trial.spread:.2g} of {len(trial.scores)}"

    def score(self, metrics: Mapping[str, float]) -> float:
        """The score of these metrics, lower is better.

        Raises:
            KeyError: The metric was not reported.
        """
        value = metrics[self.metric]
        return -value if self.direction == "maximize" else value

    def value(self, score: float) -> float:
        """The metric as people see it."""
        return -score if self.direction == "maximize" else score


@dataclass(frozen=True)
class Proposal:
    """A trial that a strategy asks for.

    Args:
        number: Trial number, unique within its search, from 0.
        params: Hyperparameters as plain values, of the active dimensions only.
        parent: Number of the trial whose weights to continue from; None starts anew.
        member: Network that this segment belongs to, where trainings are continued: a member of a
            population, or a configuration; None where each trial is a whole training.
        until: Round (epoch) to train up to; None trains the study's whole length.
        curve: Rounds trained so far, while it is in flight.
    """

    number: int
    params: Params
    parent: int | None = None
    member: int | None = None
    until: int | None = None
    curve: Curve = ()


@dataclass(frozen=True)
class Trial:
    """A proposal and its result.

    Args:
        proposal: Proposal that was run.
        score: Score, lower is better; None if it failed.
        reason: Reason why it failed; None if it did not.
        seconds: Wall time [s].
        metrics: Latest value of each metric reported.
        rounds: Rounds (epochs) trained in this trial.
        checkpoint: Path of its checkpoint; None where there is none.
        ended: Time of its end [s], counted from the start of the search.
        scores: Scores of its trainings, where these are several; `score` is their mean.
        training: Number of the training that the checkpoint is of, the best one; None where there
            is one alone.
        curve: Score after each round of this trial, and what the round cost.
        stopped: Why it was ended before its training was; it keeps the score it had. None else.
        device: Accelerator that it was trained on, with its name; None on a CPU.
        peak_mib: Most memory of it that was taken at once [MiB], by all that were trained
            together; None where that is unknown.
        utilisation: How busy it was meanwhile on average [%]; None where that is unknown.
    """

    proposal: Proposal
    score: float | None = None
    reason: str | None = None
    seconds: float = 0.0
    metrics: Mapping[str, float] = field(default_factory=dict)
    rounds: int = 0
    checkpoint: str | None = None
    ended: float = 0.0
    scores: tuple[float, ...] = ()
    training: int | None = None
    curve: Curve = ()
    stopped: str | None = None
    device: str | None = None
    peak_mib: float | None = None
    utilisation: float | None = None

    @property
    def number(self) -> int:
        """The proposal's number."""
        return self.proposal.number

    @property
    def spread(self) -> float | None:
        """Standard deviation of a training's score (ddof = 1); None if unknown."""
        return deviation(self.scores) if len(self.scores) > 1 else None

    @property
    def standard_error(self) -> float | None:
        """Standard error of the score, which is a mean; None if unknown."""
        spread = self.spread
        return None if spread is None else spread / math.sqrt(len(self.scores))

    @property
    def succeeded(self) -> bool:
        """Whether it has a score that can be compared."""
        return self.score is not None and math.isfinite(self.score)


def best(trials: Iterable[Trial]) -> Trial | None:
    """The trial with the lowest score, the earliest of equals; None if none succeeded."""
    candidates = [trial for trial in trials if trial.succeeded]
    return min(candidates, key=lambda trial: (trial.score, trial.number), default=None)


def free_numbers(history: Iterable[Trial], pending: Iterable[Proposal], count: int) -> list[int]:
    """The `count` smallest trial numbers that are not taken.

    A killed search leaves gaps; the trials that it did not finish are proposed again.
    """
    taken = {trial.number for trial in history} | {proposal.number for proposal in pending}
    found: list[int] = []
    number = 0
    while len(found) < count:
        if number not in taken:
            found.append(number)
        number += 1
    return found
