"""The mini-batches of a training: out of memory, from a Dataset, or from a DataLoader.

Whatever they come from, those of a step depend on the seed and on that step alone, or, where they
are drawn at random while they are read, on the seed and the round (the epoch): a training that is
continued has the batches that it would have had.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nettuner.models.data.dataset import Part, Split
from nettuner.models.data.streams import IterableStream, LoaderStream, RowStream, Stream
from nettuner.models.inputs import Inputs, each, parts, taken
from nettuner.models.learner import EVALUATION_BATCH
from nettuner.models.study import Length
from nettuner.models.training.device import CPU, capacity, moved
from nettuner.models.training.randomness import orders
from nettuner.models.training.seeding import READING, Generators, derived_seed

Seed = tuple[int, ...]
Batch = tuple[Inputs, Any]
Readable = Batch | Stream

# Most memory for one batch that is only evaluated [bytes].
EVALUATION_BYTES = 2**26
# Splits that lie on a device at a time, and the share of its free memory that one may take.
MOST_PLACED = 4
SHARE_OF_DATA = 0.4


class Batches(Protocol):
    """The mini-batches of one training."""

    @property
    def per_epoch(self) -> int:
        """Mini-batches in an epoch."""
        ...

    def of(self, steps: NDArray[np.int64]) -> Iterator[Batch]:
        """The mini-batch of each of the steps of a round, counted from 0 over the training."""
        ...


def batches_of(part: Part, batch_size: int, seed: Seed, device: torch.device = CPU) -> Batches:
    """The mini-batches of a training.

    Args:
        part: Training rows.
        batch_size: Rows in a mini-batch; a DataLoader has its own.
        seed: Seed of the training.
        device: Device that they are trained on.
    """
    if isinstance(part, Split):
        return HeldBatches(part, batch_size, seed, device)
    found = _streamed(part, batch_size, seed)
    return found if device.type == "cpu" else MovedBatches(found, device)


def _streamed(part: Stream, batch_size: int, seed: Seed) -> Batches:
    if isinstance(part, RowStream):
        return RowBatches(part, batch_size, seed)
    if isinstance(part, IterableStream):
        rows = part.rows_of_an_epoch()
        return LoaderBatches(part.loaded(batch_size), steps_per_epoch(rows, batch_size), seed)
    return LoaderBatches(part, part.batches_of_an_epoch(), seed)


class HeldBatches:
    """Mini-batches of rows in memory, which are shuffled for every epoch.

    Args:
        split: Rows.
        batch_size: Rows in a mini-batch.
        seed: Seed of the training.
        device: Device that they are trained on; the rows lie on it as long as they fit.
    """

    def __init__(
        self, split: Split, batch_size: int, seed: Seed, device: torch.device = CPU
    ) -> None:
        self._data = tensors(split, device)
        self._device = device
        self._rows = len(split)
        self._batch_size = batch_size
        self._seed = seed

    @property
    def per_epoch(self) -> int:
        """See `Batches.per_epoch`."""
        return steps_per_epoch(self._rows, self._batch_size)

    def of(self, steps: NDArray[np.int64]) -> Iterator[Batch]:
        """See `Batches.of`."""
        inputs, targets = self._data
        for step in steps.tolist():
            rows = batch(self._rows, self._batch_size, step, self._seed, parts(targets)[0].device)
            found = taken(inputs, rows), taken(targets, rows)
            yield moved(found[0], self._device), moved(found[1], self._device)


class MovedBatches:
    """Mini-batches that are read on the CPU and trained on another device.

    Args:
        batches: Mini-batches as they are read.
        device: Device that they are trained on.
    """

    def __init__(self, batches: Batches, device: torch.device) -> None:
        self._batches = batches
        self._device = device

    @property
    def per_epoch(self) -> int:
        """See `Batches.per_epoch`."""
        return self._batches.per_epoch

    def of(self, steps: NDArray[np.int64]) -> Iterator[Batch]:
        """See `Batches.of`."""
        for inputs, targets in self._batches.of(steps):
            yield moved(inputs, self._device), moved(targets, self._device)


class RowBatches:
    """Mini-batches of a map-style Dataset: the rows that these would have in memory.

    Args:
        stream: Dataset.
        batch_size: Rows in a mini-batch.
        seed: Seed of the training.
    """

    def __init__(self, stream: RowStream, batch_size: int, seed: Seed) -> None:
        self._stream = stream
        self._batch_size = batch_size
        self._seed = seed

    @property
    def per_epoch(self) -> int:
        """See `Batches.per_epoch`."""
        return steps_per_epoch(len(self._stream), self._batch_size)

    def of(self, steps: NDArray[np.int64]) -> Iterator[Batch]:
        """See `Batches.of`."""
        rows = len(self._stream)
        places = [batch(rows, self._batch_size, s, self._seed).tolist() for s in steps.tolist()]
        generators = Generators(*self._seed, READING, int(steps[0]))
        yield from drawn(self._stream.read(places), generators)


class LoaderBatches:
    """The mini-batches that a DataLoader makes itself.

    A round that begins in the middle of an epoch goes on where the one before it ended; after an
    interruption the first mini-batches of that epoch are read once more.

    Args:
        stream: DataLoader.
        per_epoch: Mini-batches of an epoch.
        seed: Seed of the training.
    """

    def __init__(self, stream: LoaderStream, per_epoch: int, seed: Seed) -> None:
        self._stream = stream
        self._per_epoch = per_epoch
        self._seed = seed
        self._next = -1
        self._epoch: Iterator[Batch] = iter(())

    @property
    def per_epoch(self) -> int:
        """See `Batches.per_epoch`."""
        return self._per_epoch

    def of(self, steps: NDArray[np.int64]) -> Iterator[Batch]:
        """See `Batches.of`.

        Raises:
            ValueError: An epoch has fewer mini-batches than it says.
        """
        for step in steps.tolist():
            epoch, place = divmod(step, self._per_epoch)
            if place == 0 or step != self._next:
                self._open(epoch)
                for before in range(place):
                    self._read(before)
            self._next = step + 1
            yield self._read(place)
            if place + 1 == self._per_epoch:
                self._close()

    def _open(self, epoch: int) -> None:
        self._close()
        generators = Generators(*self._seed, READING, epoch)
        self._epoch = drawn(self._stream.read(generators.seed, epoch), generators)

    def _close(self) -> None:
        if hasattr(self._epoch, "close"):
            self._epoch.close()

    def _read(self, place: int) -> Batch:
        found = next(self._epoch, None)
        if found is None:
            raise ValueError(
                f"an epoch of the {self._stream.name} data must have as many batches as its length "
                f"says, {self._per_epoch}, got {place}; correct the length (__len__, or epoch)"
            )
        return found


def evaluated(part: Stream, seed: Seed, device: torch.device = CPU) -> Iterator[Batch]:
    """All rows of a split that is not in memory, batch by batch.

    Args:
        part: Split.
        seed: Seed of what is drawn while they are read.
        device: Device that they are evaluated on.
    """
    for inputs, targets in _read_whole(part, seed):
        yield moved(inputs, device), moved(targets, device)


def _read_whole(part: Stream, seed: Seed) -> Iterator[Batch]:
    generators = Generators(*seed, READING)
    if isinstance(part, RowStream):
        rows = _evaluation_rows(part)
        places = [list(range(at, min(at + rows, len(part)))) for at in range(0, len(part), rows)]
        return drawn(part.read(places), generators)
    loaded = part.loaded(_evaluation_rows(part)) if isinstance(part, IterableStream) else part
    return drawn(loaded.read(generators.seed, 0), generators)


def _evaluation_rows(stream: RowStream | IterableStream) -> int:
    return min(EVALUATION_BATCH, max(1, EVALUATION_BYTES // stream.row_bytes))


def drawn(batches: Iterator[Batch], generators: Generators) -> Iterator[Batch]:
    """Batches that are read while these generators are in use."""
    try:
        while True:
            with generators.in_use():
                found = next(batches, None)
            if found is None:
                return
            yield found
    finally:
        if hasattr(batches, "close"):
            batches.close()


def tensors(split: Split, device: torch.device = CPU) -> Batch:
    """Inputs and targets of a split as tensors on a device, or in memory where they do not fit."""
    if device.type == "cpu":
        return each(torch.from_numpy, split.inputs), each(torch.from_numpy, split.targets)
    return _lying_on(split, device)


@functools.lru_cache(maxsize=MOST_PLACED)
def _lying_on(split: Split, device: torch.device) -> Batch:
    """The same; they lie on the device once for all trials."""
    here = tensors(split)
    size = sum(part.nbytes for part in (*parts(here[0]), *parts(here[1])))
    if size > SHARE_OF_DATA * capacity(device):
        return here
    return moved(here[0], device), moved(here[1], device)


def readable(part: Part, device: torch.device = CPU) -> Readable:
    """Inputs and targets of a split in memory, or else the stream as it is."""
    return tensors(part, device) if isinstance(part, Split) else part


def copied(found: Batch) -> Batch:
    """A batch that may be changed in place."""
    return each(Tensor.clone, found[0]), each(Tensor.clone, found[1])


def steps_of(round_: int, length: Length, per_epoch: int) -> NDArray[np.int64]:
    """The optimiser steps of a round, counted from 0 over the whole training.

    Args:
        round_: Round, from 1.
        length: Length of the training.
        per_epoch: Mini-batches in an epoch.
    """
    per_round = length.steps_per_round or per_epoch
    first = (round_ - 1) * per_round
    return np.arange(first, min(first + per_round, length.steps or first + per_round))


def total_steps(length: Length, per_epoch: int) -> int:
    """Optimiser steps of a whole trial."""
    return length.steps or length.rounds * per_epoch


def steps_per_epoch(rows: int, batch_size: int) -> int:
    """Mini-batches in an epoch; a last one of a single row is dropped.

    Batch normalisation cannot be trained on one row.
    """
    whole, rest = divmod(rows, batch_size)
    return whole + (rest > 1) if whole else 1


def batch(rows: int, batch_size: int, step: int, seed: Seed, device: torch.device = CPU) -> Tensor:
    """Row numbers of the mini-batch at `step`, counted from 0 over the whole training."""
    epoch, index = divmod(step, steps_per_epoch(rows, batch_size))
    return _order(rows, seed, epoch, device)[index * batch_size : (index + 1) * batch_size]


@functools.lru_cache(maxsize=2)  # a training visits one epoch after another
def _order(rows: int, seed: Seed, epoch: int, device: torch.device) -> Tensor:
    """The rows in the order in which an epoch visits them."""
    return orders(rows, np.array([order_seed(seed)]), epoch, device)[0]


def order_seed(seed: Seed) -> np.uint32:
    """The seed of the order of the rows in all epochs of a training."""
    return np.uint32(derived_seed(*seed, 1) % 2**32)
