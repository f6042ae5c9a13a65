"""Training several members of one structure side by side."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from nettuner.models.data.dataset import Dataset, held
from nettuner.models.stacks.evaluation import measure_stack
from nettuner.models.stacks.stack import Stack
from nettuner.models.study import Length
from nettuner.models.training.batches import (
    steps_of,
    steps_per_epoch,
    tensors,
    total_steps,
)
from nettuner.models.training.loop import Measured, summary
from nettuner.models.training.loss_scale import too_small
from nettuner.models.training.losses import DivergedError, diverged
from nettuner.models.training.metrics import Metric

Found = Measured | DivergedError


def fit_stack(
    stack: Stack,
    dataset: Dataset,
    length: Length,
    *,
    done: int = 0,
    until: int | None = None,
    further: Sequence[Metric] = (),
) -> Iterator[tuple[int, list[Found]]]:
    """Train all members, and yield (round, result of each) after each round, from `done` + 1.

    The result of a member that diverged is its error from then on; the others are not affected.
    Training ends when all have diverged.

    Args:
        stack: Members to train, all of them trained for `done` rounds before.
        dataset: Dataset; trained on its training rows, evaluated on its validation rows.
        length: Length of a whole trial.
        done: Rounds trained before.
        until: Last round to train, of `length.rounds`; None for all of them.
        further: Metrics beyond those of the learner.
    """
    train = held(dataset.train)
    inputs, targets = tensors(train, stack.device)
    held_out = tensors(held(dataset.validation), stack.device)
    per_epoch = steps_per_epoch(len(train), stack.nows[0]["batch_size"])
    steps_in_all = total_steps(length, per_epoch)
    lost: dict[int, DivergedError] = {}
    for round_ in range(done + 1, (until or length.rounds) + 1):
        steps = steps_of(round_, length, per_epoch)
        with torch.no_grad():
            losses = stack.train(inputs, targets, steps, steps_in_all)
            for member in set(range(len(stack))) - set(lost):
                error = _divergence(losses[:, :, member], stack, member, int(steps[0]), round_)
                if error:
                    lost[member] = error
            left = set(range(len(stack))) - set(lost)
            metrics = measure_stack(stack, held_out, "val", round_, left, further)
        found: list[Found] = []
        for member in range(len(stack)):
            if member in lost:
                found.append(lost[member])
                continue
            columns = losses[:, :, member].T.tolist()
            values = {
                name: [*filter(math.isfinite, column)]  # in fp16 others do not count
                for name, column in zip(stack.networks, columns, strict=True)
            }
            rates = {name: o.rates[member] for name, o in stack.optimisers.items()}
            last = int(steps[-1])
            trained = summary(values, rates, stack.nows[member], last, steps_in_all)
            found.append(trained | metrics[member])
        yield round_, found
        if len(lost) == len(stack):
            return


def _divergence(
    losses: Tensor, stack: Stack, member: int, first: int, round_: int
) -> DivergedError | None:
    """The error that a member would have raised when trained alone.

    Args:
        losses: Its losses of a round, shape [steps, networks].
        stack: Stack that it is a member of.
        member: Place of the member.
        first: First step of the round, counted from 0.
        round_: Round, from 1.
    """
    for network, scale in stack.scales.items():
        error = too_small(network, scale.scale[member].item(), round_)
        if error:
            return error
    wrong = ~torch.isfinite(losses)
    if stack.scales:  # in fp16 a round with others goes on
        wrong &= wrong.all(0)
    places = wrong.nonzero()
    if not len(places):
        return None
    step, network = places[0].tolist()
    return diverged(
        list(stack.networks)[network], losses[step, network].item(), first + step, round_
    )
