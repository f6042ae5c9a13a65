"""The training loop of one configuration, the same for every learner."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nettuner.models.data.dataset import Dataset, Split
from nettuner.models.data.load import MOST_HELD
from nettuner.models.data.preprocessing import Sentences, Text
from nettuner.models.learner import DataFacts, Learner, Networks
from nettuner.models.study import Goal, Length
from nettuner.models.training import optimiser
from nettuner.models.training.batches import (
    Batch,
    Readable,
    batches_of,
    evaluated,
    readable,
    steps_of,
    tensors,
    total_steps,
)
from nettuner.models.training.course import Course
from nettuner.models.training.device import CPU, made_there, moved, placed, where
from nettuner.models.training.losses import DivergedError, Losses
from nettuner.models.training.metrics import Metric
from nettuner.models.training.seeding import seeded
from nettuner.models.training.step import TrainingStep, draw_seed, keys_of

Measured = dict[str, float]
Watch = Callable[[int, Networks], None]


def finite(goal: Goal, metrics: Mapping[str, float], when: str) -> None:
    """Refuse a metric that is not finite.

    Raises:
        DivergedError: It is not.
    """
    value = metrics[goal.metric]
    if not math.isfinite(value):
        raise DivergedError(f"{goal.metric} is {value} {when}")


@functools.lru_cache(maxsize=MOST_HELD)
def prepared(found: type[Learner], dataset: Dataset) -> Learner:
    """A learner prepared on the training rows; cached per process, as preparing may take long.

    Raises:
        ValueError: It is to be prepared on rows that are not in memory.
    """
    learner = found(facts(dataset))
    if isinstance(dataset.train, Split):
        learner.prepare(*tensors(dataset.train))
    elif found.prepare is not Learner.prepare:
        raise ValueError(
            f"a learner with a method prepare needs the training rows in memory, got "
            f"{found.__name__} and data that are read batch by batch; give equal samples without "
            "randomness, or a learner without prepare"
        )
    return learner


def facts(dataset: Dataset) -> DataFacts:
    """The facts about a dataset for a learner."""
    return replace(_facts(dataset), class_weights=_class_weights(dataset))


def _class_weights(dataset: Dataset) -> tuple[float, ...]:
    """The weight n / (k n_c) of a class with n_c of n training rows, of k classes that occur.

    Source: King and Zeng (2001), doi:10.1093/oxfordjournals.pan.a004868; as scikit-learn's
    `class_weight="balanced"`.
    """
    if dataset.task != "classification" or not isinstance(dataset.train, Split):
        return ()
    targets = dataset.train.targets
    counts = np.bincount(targets[targets >= 0].ravel(), minlength=dataset.outputs)
    occur = counts > 0
    share = counts.sum() / (np.maximum(counts, 1) * max(occur.sum(), 1))
    return tuple(np.where(occur, share, 0.0).tolist())


def _facts(dataset: Dataset) -> DataFacts:
    if dataset.preprocessing is None:
        return DataFacts(
            dataset.task,
            dataset.shape,
            dataset.outputs,
            target_shape=dataset.target_shape,
            first=dataset.example,
        )
    known = dataset.preprocessing
    found, several = known.inputs, known.several
    return DataFacts(
        dataset.task,
        dataset.shape,
        dataset.outputs,
        known.target_std,
        found if isinstance(found, Sentences) else None,
        dataset.target_shape,
        means=several.means if several and several.means else (known.target_mean,),
        stds=several.stds if several and several.stds else (known.target_std,),
        tokens=len(found.vocabulary.tokens) if isinstance(found, Text) else 0,
    )


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
    watch: Watch | None = None,
    course: Course | None = None,
    further: Sequence[Metric] = (),
    device: torch.device = CPU,
) -> Iterator[tuple[int, Measured]]:
    """Train, and yield (round, metrics) after each round, counted from 1.

    The caller decides what to record and when to stop. Every round draws its mini-batches and
    dropout masks from (seed, round) alone, so a training continued from a checkpoint equals one
    that was never interrupted.

    Args:
        learner: Learner to train.
        dataset: Dataset; trained on its training rows, evaluated on its validation rows.
        params: Hyperparameters of the trial.
        length: Length of a whole trial.
        seed: Seed of initial weights, batch order and dropout.
        until: Last round to train, of `length.rounds`; None for all of them.
        start: Path of the checkpoint to continue from; None starts anew.
        end: Path for a checkpoint after the round that counts; None writes none.
        watch: Callback after each round, given its number and the networks in eval mode.
        course: Course of the metric, which says what counts and may end the training; without it
            the last round counts.
        further: Metrics beyond those of the learner.
        device: Device to train on.

    Raises:
        DivergedError: A loss is not finite.
    """
    now = learner.now(params)
    batches = batches_of(dataset.train, now["batch_size"], seed, device)
    held_out = readable(dataset.validation, device)
    with seeded(*seed):
        networks = learner.networks(params)
    for network in networks.values():
        network.to(device)
    learner = placed(learner, device)
    steps_in_all = total_steps(length, batches.per_epoch)
    training = TrainingStep(learner, networks, now, steps_in_all)
    done = 0
    if start:
        done = training.load(start)
    draws = np.array([draw_seed(seed)])
    for round_ in range(done + 1, (until or length.rounds) + 1):
        steps = steps_of(round_, length, batches.per_epoch)
        training.begin_round(keys_of(draws, steps, len(networks), device))
        losses = Losses(networks, round_, device, skips=bool(training.scales))
        for network in networks.values():
            network.train()
        with seeded(*seed, round_):
            for step, batch in zip(steps.tolist(), batches.of(steps), strict=True):
                for name, loss in training.step(batch, step):
                    losses.add(name, step, loss)
        training.check_scales(round_)
        rates = {name: of.learning_rate for name, of in training.optimisers.items()}
        metrics = summary(losses.all(), rates, now, int(steps[-1]), steps_in_all)
        with training.averages.in_force():
            metrics |= measure(learner, networks, held_out, "val", (*seed, round_), further)
            if watch:
                watch(round_, networks)
        if course:
            course.add(round_, metrics)
            if end and course.best_counts and course.is_best:
                training.save(end, round_)
        yield round_, metrics
        done = round_
        if course and course.is_over:
            break
    if end and not (course and course.best_counts):
        training.save(end, done)


def summary(
    losses: Mapping[str, list[float]],
    rates: Mapping[str, float],
    now: Mapping[str, Any],
    last: int,
    steps: int,
) -> Measured:
    """Training metrics of a round: mean losses, and the learning rates at its last step.

    Args:
        losses: Losses of every step, by network.
        rates: Learning rates read back from the optimisers, by network.
        now: Current hyperparameters.
        last: Last optimiser step of the round, counted from 0.
        steps: Optimiser steps of the whole training.

    Returns:
        `train_loss` where there is one network, else `train_<network>_loss`; rates likewise.

    Raises:
        RuntimeError: An optimiser did not use the learning rate that it was given.
    """
    found = {}
    for name, values in losses.items():
        asked = optimiser.learning_rate(name, now, last, steps)
        if rates[name] != asked:
            raise RuntimeError(
                f"the learning rate in force must be the one given, got {rates[name]} instead of "
                f"{asked} for {name} at step {last + 1}; report this as a fault of nettuner"
            )
        prefix = "train" if len(losses) == 1 else f"train_{name}"
        found[f"{prefix}_loss"] = math.fsum(values) / len(values)
        found[f"{prefix}_learning_rate"] = rates[name]
    return found


def measure(
    learner: Learner,
    networks: Networks,
    split: Readable,
    prefix: str,
    seed: tuple[int, ...] = (),
    further: Sequence[Metric] = (),
) -> Measured:
    """The learner's metrics on a split and further ones, each name prefixed (`val_accuracy`).

    Random numbers drawn while evaluating come from the seed.
    """
    for network in networks.values():
        network.eval()
    device = where(networks)
    with torch.no_grad(), seeded(*seed), made_there(device):
        if isinstance(split, tuple):
            metrics = learner.evaluate(networks, *_there(split, device))
        else:
            metrics = learner.evaluate_batches(networks, evaluated(split, seed, device))
    found = {f"{prefix}_{name}": float(value) for name, value in metrics.items()}
    return found | measure_further(learner, networks, split, prefix, seed, further)


def _there(split: Batch, device: torch.device) -> Batch:
    """A split in memory, on the device that it is evaluated on."""
    return moved(split[0], device), moved(split[1], device)


def measure_further(
    learner: Learner,
    networks: Networks,
    split: Readable,
    prefix: str,
    seed: tuple[int, ...],
    further: Sequence[Metric],
) -> Measured:
    """Further metrics on a split, from the predictions for all its rows; arguments as above."""
    if not further:
        return {}
    device = where(networks)
    with torch.no_grad(), seeded(*seed), made_there(device):
        batches: Iterable[Batch] = (
            [_there(split, device)] if isinstance(split, tuple) else evaluated(split, seed, device)
        )
        pairs = [(learner.predictions(networks, i), learner.truth(t)) for i, t in batches]
    predictions, truth = (torch.cat(of).cpu() for of in zip(*pairs, strict=True))
    return {f"{prefix}_{metric.name}": metric.of(predictions, truth) for metric in further}
