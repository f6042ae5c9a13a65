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
from nettuner.models.stacks.kind import kind_for
from nettuner.models.stacks.program import Convolution
from nettuner.models.stacks.stack import Programs, most_bytes
from nettuner.models.training.batches import batches_of, tensors
from nettuner.models.training.device import CPU, placed
from nettuner.models.training.seeding import Generators
from nettuner.models.training.step import TrainingStep

# Largest share of the time for training one by one that the benchmark may take.
SHARE = 0.1
# Expected cost of trying the first size [s].
FIRST_TRY = 0.1
# Larger stacks are hardly faster on a CPU, whose caches they exceed; a GPU takes many more.
SIZES = (8, 32, 64)
ACCELERATOR_SIZES = (16, 64, 256, 1024)
# A stack is chosen only if it takes less than this share of the time.
GAIN = 0.9
# One to warm up, and on a GPU one that is captured and one that is replayed.
STEPS = 5
# Structures whose speeds and programs are cached; the least recently used are dropped.
MOST_STRUCTURES = 32

Seed = tuple[int, ...]


@dataclass(frozen=True)
class StackChoice:
    """A way to train.

    Args:
        size: Members in a stack; 1 trains them one by one, by the ordinary loop.
        convolution: How the convolutions of all members are computed.
    """

    size: int = 1
    convolution: Convolution = "groups"


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
    device: torch.device = CPU,
) -> StackChoice:
    """The fastest way to train these members, by measurement.

    Args:
        learner: Learner to be trained.
        dataset: Dataset to be trained on.
        params, seeds: Hyperparameters and seeds of the members; their structure agrees.
        steps: Optimiser steps of one whole training.
        device: Device to train on.

    Raises:
        Exception: The learner raised it at a step alone.
    """
    with Generators(*seeds[0]).in_use():
        speeds = speeds_of(learner, params[0], device)
        bench = Bench(learner, dataset, params, seeds, device)
        if math.isinf(speeds.alone):
            speeds.alone = bench.alone()
        _measure(speeds, bench, steps)
    return speeds.best(len(params))


def speeds_of(learner: Learner, params: Now, device: torch.device = CPU) -> Speeds:
    """Benchmarks of a structure in this process, empty at first.

    Args:
        learner: Learner to be trained.
        params: Hyperparameters of a member of this structure.
        device: Device to train on.
    """
    now = learner.now(params)
    key = (id(learner), device, tuple((name, now[name]) for name in sorted(learner.structural())))
    speeds = SPEEDS.setdefault(key, Speeds(learner=learner))
    SPEEDS.move_to_end(key)
    while len(SPEEDS) > MOST_STRUCTURES:
        SPEEDS.popitem(last=False)
    return speeds


def _measure(speeds: Speeds, bench: Bench, steps: int) -> None:
    """Benchmark larger and larger stacks while they get faster and the budget allows."""
    members = len(bench.params)
    budget = SHARE * speeds.alone * steps * members
    ways = bench.ways()
    fastest = speeds.alone
    for size in sorted({min(size, members) for size in bench.sizes} - {1}):
        for choice in [StackChoice(size, way) for way in ways]:
            if choice in speeds.stacked:
                continue
            if speeds.reason or speeds.spent + speeds.next_try > budget:
                return
            speeds.spent += seconds(functools.partial(_try, speeds, bench, choice))
        known = {p: t for p, t in speeds.stacked.items() if p.size == size}
        best = min(known, key=lambda p: known[p])
        largest = max(map(program.size, speeds.programs.values()), default=0)
        if known[best] > fastest or 4 * largest > most_bytes(bench.device):
            return
        ways, fastest = (best.convolution,), known[best]


def _try(speeds: Speeds, bench: Bench, choice: StackChoice) -> None:
    """Benchmark one way; a learner that fails in every way is not tried again."""
    try:
        speeds.stacked[choice] = bench.stacked(choice, speeds.programs)
    except Exception as error:  # a user's learner may fail in a stack in any way
        speeds.stacked[choice] = math.inf
        if len(speeds.stacked) >= len(bench.ways()) and not any(
            map(math.isfinite, speeds.stacked.values())
        ):
            speeds.reason = str(error)


@dataclass(frozen=True)
class Bench:
    """Measures steps of some members.

    Args:
        learner: Learner to be trained.
        dataset: Dataset to be trained on.
        params, seeds: Hyperparameters and seeds of the members; their structure agrees.
        device: Device to train on.
    """

    learner: Learner
    dataset: Dataset
    params: Sequence[Now]
    seeds: Sequence[Seed]
    device: torch.device

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes of stacks to try."""
        return SIZES if self.device.type == "cpu" else ACCELERATOR_SIZES

    def ways(self) -> tuple[Convolution, ...]:
        """The ways to compute convolutions to try."""
        networks = self.learner.networks(self.params[0])
        modules = [part for network in networks.values() for part in network.modules()]
        if not any(isinstance(part, nn.Conv2d) for part in modules):
            return ("groups",)
        beside: Convolution = "one by one" if self.device.type == "cpu" else "products"
        return (beside, "groups")

    def alone(self) -> float:
        """Seconds per step of one member in the ordinary loop."""
        now = self.learner.now(self.params[0])
        batches = batches_of(self.dataset.train, now["batch_size"], self.seeds[0], self.device)
        networks = self.learner.networks(self.params[0])
        for network in networks.values():
            network.to(self.device)
        learner = placed(copy.copy(self.learner), self.device)
        training = TrainingStep(learner, networks, now, STEPS)
        keys = torch.zeros(batches.per_epoch, dtype=torch.int32, device=self.device)

        def step(at: int) -> None:
            if at % batches.per_epoch == 0:
                training.begin_round([keys] * len(networks))
            for batch in batches.of(np.array([at])):
                for _ in training.step(batch, at):
                    pass

        return self._seconds(step)

    def stacked(self, choice: StackChoice, programs: Programs) -> float:
        """Seconds per step and member in a stack."""
        stack = kind_for(self.device)(
            self.learner,
            self.params[: choice.size],
            self.seeds[: choice.size],
            programs,
            convolution=choice.convolution,
            device=self.device,
        )
        inputs, targets = tensors(held(self.dataset.train), self.device)

        def step(at: int) -> None:
            with torch.no_grad():
                stack.train(inputs, targets, np.array([at]), STEPS)

        return self._seconds(step) / choice.size

    def _seconds(self, step: Callable[[int], object]) -> float:
        """Seconds of one step: the fastest of a few, after a warm-up step."""
        step(0)
        times = [seconds(functools.partial(step, at), self.device) for at in range(1, STEPS)]
        return min(times)
