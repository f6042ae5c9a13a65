"""Training several members of one structure side by side."""

from __future__ import annotations

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
from nettuner.models.training.losses import DivergedError
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
                diverged = _divergence(losses[:, :, member], stack, int(steps[0]), round_)
                if diverged:
                    lost[member] = diverged
            left = set(range(len(stack))) - set(lost)
            metrics = measure_stack(stack, held_out, "val", round_, left, further)
        found: list[Found] = []
        for member in range(len(stack)):
            if member in lost:
                found.append(lost[member])
                continue
            values = dict(zip(stack.networks, losses[:, :, member].T.tolist(), strict=True))
            rates = {name: o.rates[member] for name, o in stack.optimisers.items()}
            last = int(steps[-1])
            trained = summary(values, rates, stack.nows[member], last, steps_in_all)
            found.append(trained | metrics[member])
        yield round_, found
        if len(lost) == len(stack):
            return


def _divergence(losses: Tensor, stack: Stack, first: int, round_: int) -> DivergedError | None:
    """The error that a member's first non-finite loss would have raised when trained alone."""
    wrong = (~torch.isfinite(losses)).nonzero()
    if not len(wrong):
        return None
    step, network = wrong[0].tolist()
    value = losses[step, network].item()
    name = list(stack.networks)[network]
    return DivergedError(
        f"the loss of {name} is {value} at step {first + step + 1}, round {round_}"
    )
