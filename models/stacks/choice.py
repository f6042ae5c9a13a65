"""Chooses the fastest way to train some members: one by one, or in stacks of some size.

A short benchmark on the members themselves decides: stacking makes small networks several times
faster, and large ones slower.
"""

from __future__ import annotations

import copy
import functools
import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from nettuner.models.data.dataset import Dataset, held
from nettuner.models.learner import Learner, Now
from nettuner.models.stacks import program
from nettuner.models.stacks.evaluation import seconds
from nettuner.models.stacks.stack import MOST_BYTES, Programs, Stack
from nettuner.models.training.batches import batches_of, tensors
from nettuner.models.training.loop import TrainingStep
from nettuner.models.training.seeding import Generators

# Largest share of the time for training one by one that the benchmark may take.
SHARE = 0.1
# Expected cost of trying the first size [s].
FIRST_TRY = 0.1
# Larger stacks are hardly faster and exceed the CPU caches.
SIZES = (8, 32, 64)
# A stack is chosen only if it takes less than this share of the time.
GAIN = 0.9
STEPS = 4
# Structures whose speeds and programs are cached; the least recently used are dropped.
MOST_STRUCTURES = 32

Seed = tuple[int, ...]


@dataclass(frozen=True)
class StackChoice:
    """A way to train.

    Args:
        size: Members in a stack; 1 trains them one by one, by the ordinary loop.
        convolve_one_by_one: True for convolutions in a loop over members, False for groups.
    """

    size: int = 1
    convolve_one_by_one: bool = False


@dataclass
class Speeds:
    """Benchmarks of one structure in this process.

    Args:
        alone: Seconds per step and member in the ordinary loop; infinite if not measured.
        stacked: Seconds per step and member for each way to stack; infinite where impossible.
        programs: Recorded programs.
        reason: Reason why it cannot be stacked; None if it can, as far as is known.
        spent: Seconds spent on benchmarks so far.
        learner: Learner that was measured; referenced, so that its `id` stays unique.
    """

    alone: float = math.inf
    stacked: dict[StackChoice, float] = field(default_factory=dict)
    programs: Programs = field(default_factory=Programs)
    reason: str | None = None
    spent: float = 0.0
    learner: Learner | None = None

    @property
    def next_try(self) -> float:
        """Expected cost of the next benchmark [s]: somewhat more than those before."""
        return 1.5 * self.spent / len(self.stacked) if self.stacked else FIRST_TRY

    def best(self, members: int) -> StackChoice:
        """The fastest way measured for this number of members."""
        if self.reason is not None:
            return StackChoice()
        known = {choice: t for choice, t in self.stacked.items() if choice.size <= members}
        choice = min(known, key=lambda p: known[p], default=StackChoice())
        return choice if known and known[choice] < GAIN * self.alone else StackChoice()


SPEEDS: OrderedDict[Any, Speeds] = OrderedDict()


def choose(
    learner: Learner,
    dataset: Dataset,
    params: Sequence[Now],
    seeds: Sequence[Seed],
    steps: int,
) -> StackChoice:
    """The fastest way to train these members, by measurement.

    Args:
        learner: Learner to be trained.
        dataset: Dataset to be trained on.
        params, seeds: Hyperparameters and seeds of the members; their structure agrees.
        steps: Optimiser steps of one whole training.

    Raises:
        Exception: The learner raised it at a step alone.
    """
    with Generators(*seeds[0]).in_use():
        speeds = speeds_of(learner, params[0])
        if math.isinf(speeds.alone):
            speeds.alone = _alone(learner, dataset, params[0], seeds[0])
        _measure(speeds, learner, dataset, params, seeds, steps)
    return speeds.best(len(params))


def speeds_of(learner: Learner, params: Now) -> Speeds:
    """Benchmarks of a structure in this process, empty at first.

    Args:
        learner: Learner to be trained.
        params: Hyperparameters of a member of this structure.
    """
    now = learner.now(params)
    key = (id(learner), tuple((name, now[name]) for name in sorted(learner.structural())))
    speeds = SPEEDS.setdefault(key, Speeds(learner=learner))
    SPEEDS.move_to_end(key)
    while len(SPEEDS) > MOST_STRUCTURES:
        SPEEDS.popitem(last=False)
    return speeds


def _measure(
    speeds: Speeds,
    learner: Learner,
    dataset: Dataset,
    params: Sequence[Now],
    seeds: Sequence[Seed],
    steps: int,
) -> None:
    """Benchmark larger and larger stacks while they get faster and the budget allows."""
    budget = SHARE * speeds.alone * steps * len(params)
    ways = _ways(learner, params[0])
    fastest = speeds.alone
    for size in sorted({min(size, len(params)) for size in SIZES} - {1}):
        for choice in [StackChoice(size, way) for way in ways]:
            if choice in speeds.stacked:
                continue
            if speeds.reason or speeds.spent + speeds.next_try > budget:
                return
            speeds.spent += seconds(
                functools.partial(_try, speeds, learner, dataset, params, seeds, choice)
            )
        known = {p: t for p, t in speeds.stacked.items() if p.size == size}
        best = min(known, key=lambda p: known[p])
        largest = max(map(program.size, speeds.programs.values()), default=0)
        if known[best] > fastest or 4 * largest > MOST_BYTES:
            return
        ways, fastest = (best.convolve_one_by_one,), known[best]


def _ways(learner: Learner, params: Now) -> tuple[bool, ...]:
    """The values of `convolve_one_by_one` to try."""
    networks = learner.networks(params)
    parts = [part for network in networks.values() for part in network.modules()]
    return (True, False) if any(isinstance(part, nn.Conv2d) for part in parts) else (False,)


def _try(
    speeds: Speeds,
    learner: Learner,
    dataset: Dataset,
    params: Sequence[Now],
    seeds: Sequence[Seed],
    choice: StackChoice,
) -> None:
    """Benchmark one way; a learner that fails in every way is not tried again."""
    try:
        speeds.stacked[choice] = _stacked(speeds, learner, dataset, params, seeds, choice)
    except Exception as error:  # a user's learner may fail in a stack in any way
        speeds.stacked[choice] = math.inf
        ways = len(_ways(learner, params[0]))
        if len(speeds.stacked) >= ways and not any(map(math.isfinite, speeds.stacked.values())):
            speeds.reason = str(error)


def _seconds(step: Callable[[int], object]) -> float:
    """Seconds of one step: the fastest of a few, after a warm-up step."""
    step(0)
    return min(seconds(functools.partial(step, at)) for at in range(1, STEPS))


def _alone(learner: Learner, dataset: Dataset, params: Now, seed: Seed) -> float:
    """Seconds per step of one member in the ordinary loop."""
    learner = copy.copy(learner)
    now = learner.now(params)
    batches = batches_of(dataset.train, now["batch_size"], seed)
    networks = learner.networks(params)
    training = TrainingStep(learner, networks, now, STEPS)
    keys = [torch.zeros((), dtype=torch.int32) for _ in networks]

    def step(at: int) -> None:
        for batch in batches.of(np.array([at])):
            for _ in training.step(batch, at, keys):
                pass

    return _seconds(step)


def _stacked(
    speeds: Speeds,
    learner: Learner,
    dataset: Dataset,
    params: Sequence[Now],
    seeds: Sequence[Seed],
    choice: StackChoice,
) -> float:
    """Seconds per step and member in a stack."""
    stack = Stack(
        learner,
        params[: choice.size],
        seeds[: choice.size],
        speeds.programs,
        convolve_one_by_one=choice.convolve_one_by_one,
    )
    inputs, targets = tensors(held(dataset.train))

    def step(at: int) -> None:
        with torch.no_grad():
            stack.train(inputs, targets, np.array([at]), STEPS)

    return _seconds(step) / choice.size
