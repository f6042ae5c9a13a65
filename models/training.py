"""Training one configuration: one loop, whatever the learner."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models import checkpoint, optimiser
from models.data.dataset import Dataset, Split
from models.learner import DataFacts, Learner, Networks


class DivergedError(FloatingPointError):
    """A loss or the metric stopped being finite."""


@dataclass(frozen=True)
class Length:
    """How long to train.

    Args:
        rounds: Validations in a whole trial.
        steps_per_round: Optimiser steps between two of them; None for one pass over the data.
        steps: Where a whole trial ends at a step that is no multiple of the above.
    """

    rounds: int
    steps_per_round: int | None = None
    steps: int | None = None


@functools.lru_cache(maxsize=4)
def prepared(found: type[Learner], dataset: Dataset) -> Learner:
    """A learner that knows its data; made once in each process, as preparing may take long."""
    learner = found(facts(dataset))
    learner.prepare(*tensors(dataset.train))
    return learner


def facts(dataset: Dataset) -> DataFacts:
    """What learners may know of a dataset."""
    return DataFacts(dataset.task, dataset.shape, dataset.outputs, dataset.preprocessing.target_std)


def derived_seed(*key: int) -> int:
    """A seed for torch that depends on every number of the key."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))


def tensors(split: Split) -> tuple[Tensor, Tensor]:
    """Inputs and targets of a split as tensors."""
    return torch.from_numpy(split.inputs), torch.from_numpy(split.targets)


def fit(
    learner: Learner,
    dataset: Dataset,
    params: Mapping[str, Any],
    length: Length,
    *,
    seed: tuple[int, ...],
    until: int | None = None,
    start: Path | None = None,
    end: Path | None = None,
) -> Iterator[tuple[int, dict[str, float]]]:
    """Train, and yield (round, metrics) after each round, counted from 1.

    Whoever drives it decides what to record and when to stop. Every round draws its batches and
    dropout masks from (seed, round) alone, so a training that was continued from a checkpoint
    equals one that never paused.

    Args:
        learner: What to train.
        dataset: Its training rows are learned from, its validation rows measured.
        params: The hyperparameters in force.
        length: How long a whole trial is.
        seed: Fixes initial weights, batch order and dropout.
        until: Stop after this round of `length.rounds`; None for all of them.
        start: A checkpoint to continue from.
        end: Where to write the state after the last round.

    Raises:
        DivergedError: a loss stopped being finite.
    """
    now = learner.now(params)
    inputs, targets = tensors(dataset.train)
    held_out = tensors(dataset.validation)
    with seeded(*seed):
        networks = learner.networks(params)
    optimisers = {
        name: optimiser.build(network, optimiser.own(name, "optimizer", now))
        for name, network in networks.items()
    }
    done = checkpoint.load(start, networks, optimisers) if start else 0
    per_round = length.steps_per_round or steps_per_epoch(len(targets), now["batch_size"])
    for round_ in range(done + 1, (until or length.rounds) + 1):
        first = (round_ - 1) * per_round
        last = min(first + per_round, length.steps or math.inf)
        losses: dict[str, list[float]] = {name: [] for name in networks}
        for network in networks.values():
            network.train()
        with seeded(*seed, round_):
            for step in range(first, int(last)):
                rows = batch(len(targets), now["batch_size"], step, seed)
                for name in networks:
                    loss = learner.loss(name, networks, (inputs[rows], targets[rows]), now)
                    value = loss.item()
                    if not math.isfinite(value):
                        raise DivergedError(
                            f"the loss of {name} is {value} at step {step + 1}, round {round_}"
                        )
                    losses[name].append(value)
                    optimisers[name].zero_grad()
                    loss.backward()  # type: ignore[no-untyped-call]
                    optimiser.steer(optimisers[name], name, now, step)
                    optimisers[name].step()
            metrics = {
                f"{prefix}_loss": math.fsum(values) / len(values)
                for prefix, values in _prefixed(losses).items()
            }
            metrics |= measure(learner, networks, held_out, "val")
        yield round_, metrics
    if end:
        checkpoint.save(end, networks, optimisers, until or length.rounds)


def _prefixed(losses: Mapping[str, list[float]]) -> dict[str, list[float]]:
    """`train_loss` where there is one network, else `train_<network>_loss`."""
    if len(losses) == 1:
        return {"train": next(iter(losses.values()))}
    return {f"train_{name}": values for name, values in losses.items()}


def measure(
    learner: Learner, networks: Networks, split: tuple[Tensor, Tensor], prefix: str
) -> dict[str, float]:
    """The learner's metrics on a split, each name prefixed (`val_accuracy`)."""
    for network in networks.values():
        network.eval()
    with torch.no_grad():
        metrics = learner.evaluate(networks, *split)
    return {f"{prefix}_{name}": value for name, value in metrics.items()}


def steps_per_epoch(rows: int, batch_size: int) -> int:
    """Batches in one pass; a last batch of a single row is left out.

    Batch normalisation cannot be trained on one row.
    """
    whole, rest = divmod(rows, batch_size)
    return whole + (rest > 1) if whole else 1


def batch(rows: int, batch_size: int, step: int, seed: tuple[int, ...]) -> Tensor:
    """Row numbers of the batch at `step`, counted from 0 over the whole training."""
    epoch, index = divmod(step, steps_per_epoch(rows, batch_size))
    return _shuffled(rows, (*seed, epoch))[index * batch_size : (index + 1) * batch_size]


@functools.lru_cache(maxsize=2)
def _shuffled(rows: int, key: tuple[int, ...]) -> Tensor:
    """A permutation of the rows that depends on the key alone."""
    generator = torch.Generator().manual_seed(derived_seed(*key, 1))
    return torch.randperm(rows, generator=generator)


@contextmanager
def seeded(*key: int) -> Iterator[None]:
    """Seeds torch inside the block, and gives its generator back as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed(*key))
        yield
