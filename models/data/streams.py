"""Rows that are read from a Dataset or a DataLoader when they are needed, and never held whole."""

from __future__ import annotations

import copy
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset

from nettuner.models.data.samples import Batch, Form, SampleError
from nettuner.models.reference import beside
from nettuner.models.torch_private import end_loading

# How long it is looked for the row that cannot be read [s].
LOOK_SECONDS = 10.0
UNEQUAL = re.compile(r"(\[[^\]]*\]) at entry \d+ and (\[[^\]]*\])")


@dataclass(frozen=True, eq=False)
class Unheld:
    """Rows of a split that are not in memory.

    Args:
        name: Name of the split.
        form: How batches become inputs and targets.
        reference: Reference to the function that they come from, whose folder is imported from.
        row_bytes: Size of a row [bytes], as far as it is known.
    """

    name: str
    form: Form
    reference: str
    row_bytes: int = field(default=1, kw_only=True)

    @property
    def source(self) -> Any:
        """The Dataset behind it."""
        raise NotImplementedError

    def _read(self, loader: DataLoader[Any]) -> Iterator[Batch]:
        """The batches of a loader.

        Raises:
            ValueError: A row cannot be read, samples differ in their shapes, or a batch has no
                target.
        """
        batches: Any = None
        place = 0
        try:
            while True:
                try:
                    with beside(self.reference):
                        batches = iter(loader) if batches is None else batches
                        given = next(batches, loader)
                        if given is loader:
                            return
                        found = self.form.batch(given, f"batch {place} of the {self.name} data")
                except Exception as error:
                    raise self._fault(error, place) from error
                yield found
                place += 1
        finally:
            if batches is not None:
                end_loading(batches)

    def _fault(self, error: Exception, place: int) -> ValueError:
        told = " ".join(str(error).split())
        unequal = "equal size" in told
        if isinstance(error, SampleError):
            return error
        with beside(self.reference):
            row = None if unequal else failing_row(self.source, type(error))
        if row is not None:
            return unreadable(self.name, *row)
        if unequal:
            shapes = UNEQUAL.search(told)
            got = f"{shapes[1]} and {shapes[2]}" if shapes else "several"
            return unequal_samples(self.name, got, f"batch {place}")
        told = told.partition(" Original Traceback ")[0]
        return ValueError(
            f"every batch of the {self.name} data must be readable, got {type(error).__name__}: "
            f"{told} in batch {place}; correct the data"
        )


@dataclass(frozen=True, eq=False)
class RowStream(Unheld):
    """A map-style Dataset.

    Args:
        dataset: Dataset.
        collate_fn: Function from samples to a batch; None for torch's own.
        workers: Processes that read.
    """

    dataset: Dataset[Any]
    collate_fn: Callable[[list[Any]], Any] | None = None
    workers: int = 0

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]

    @property
    def source(self) -> Any:
        """See `Unheld.source`."""
        return self.dataset

    def read(self, places: Sequence[list[int]], *, here: bool = False) -> Iterator[Batch]:
        """Batches of the rows at these places.

        Args:
            places: Row numbers of each batch.
            here: Whether no process may be started for it.
        """
        workers = 0 if here else min(self.workers, len(places))
        loader: DataLoader[Any] = DataLoader(
            self.dataset,
            batch_sampler=places,
            collate_fn=self.collate_fn,
            num_workers=workers,
            multiprocessing_context="fork" if workers else None,
        )
        return self._read(loader)


@dataclass(frozen=True, eq=False)
class LoaderStream(Unheld):
    """A DataLoader, with its own batches, order and processes.

    Args:
        loader: DataLoader.
        batches: Batches in an epoch; None as long as the loader says.
    """

    loader: DataLoader[Any]
    batches: int | None = None

    @property
    def source(self) -> Any:
        """See `Unheld.source`."""
        return self.loader.dataset

    def batches_of_an_epoch(self) -> int:
        """Batches in an epoch.

        Raises:
            ValueError: Nothing says it.
        """
        if self.batches is not None:
            return self.batches
        try:
            return len(self.loader)
        except TypeError:
            raise endless(self.name) from None

    def read(self, seed: int, epoch: int, *, here: bool = False) -> Iterator[Batch]:
        """The batches of an epoch.

        Its processes start anew with every epoch: what they draw depends on the epoch alone.

        Args:
            seed: Seed of generators that the loader or its sampler has.
            epoch: Number of the epoch, from 0, for samplers that want to know it.
            here: Whether no process may be started for it.
        """
        loader = copy.copy(self.loader)
        vars(loader)["persistent_workers"] = False
        if here:
            vars(loader).update(num_workers=0, prefetch_factor=None, timeout=0)
        elif loader.num_workers and loader.multiprocessing_context is None:
            loader.multiprocessing_context = "fork"
        batch_sampler = getattr(loader, "batch_sampler", None)
        for part in (
            loader,
            loader.sampler,
            batch_sampler,
            getattr(batch_sampler, "sampler", None),
            loader.dataset,
        ):
            if isinstance(getattr(part, "generator", None), torch.Generator):
                part.generator.manual_seed(seed)  # type: ignore[union-attr]
            if callable(getattr(part, "set_epoch", None)):
                part.set_epoch(epoch)  # type: ignore[union-attr]
        return self._read(loader)


@dataclass(frozen=True, eq=False)
class IterableStream(Unheld):
    """An IterableDataset.

    Args:
        dataset: Dataset.
        rows: Rows of an epoch; None as many as it says, or has.
        collate_fn: Function from samples to a batch; None for torch's own.
        workers: Processes that read.
    """

    dataset: IterableDataset[Any]
    rows: int | None = None
    collate_fn: Callable[[list[Any]], Any] | None = None
    workers: int = 0

    @property
    def source(self) -> Any:
        """See `Unheld.source`."""
        return self.dataset

    def rows_of_an_epoch(self) -> int:
        """Rows of an epoch.

        Raises:
            ValueError: Nothing says it.
        """
        if self.rows is not None:
            return self.rows
        try:
            return len(self.dataset)  # type: ignore[arg-type]
        except TypeError:
            raise endless(self.name) from None

    def loaded(self, batch_size: int) -> LoaderStream:
        """A DataLoader of batches of this size."""
        loader: DataLoader[Any] = DataLoader(
            self.dataset,
            batch_size,
            collate_fn=self.collate_fn,
            num_workers=self.workers,
        )
        return LoaderStream(self.name, self.form, self.reference, loader)


Stream = RowStream | LoaderStream | IterableStream


def endless(name: str) -> ValueError:
    """What to say of an IterableDataset without a length."""
    return ValueError(
        f"an IterableDataset must say how long an epoch is, got no length for the {name} data; "
        "give it a __len__, or answer with epoch: NUMBER OF ROWS"
    )


def unreadable(name: str, row: int, error: Exception) -> ValueError:
    """What to say of a row that raises an error."""
    told = " ".join(str(error).split())
    return ValueError(
        f"every row of the {name} data must be readable, got {type(error).__name__}: {told} in row "
        f"{row}; correct that row or leave it out"
    )


def unequal_samples(name: str, got: str, where: str) -> ValueError:
    """What to say of samples that do not fit into one tensor."""
    return ValueError(
        f"samples must have one shape to become a batch, got {got} in {where} of the {name} data; "
        "pad them in a collate_fn, or in the Dataset"
    )


def failing_row(dataset: Any, kind: type[Exception]) -> tuple[int, Exception] | None:
    """The first row that raises such an error, if it is found soon."""
    if isinstance(dataset, IterableDataset) or not hasattr(dataset, "__len__"):
        return None
    deadline = time.monotonic() + LOOK_SECONDS
    for row in range(len(dataset)):
        try:
            dataset[row]
        except kind as error:
            return origin(dataset, row), error
        except Exception:
            return None
        if time.monotonic() > deadline:
            return None
    return None


def origin(dataset: Any, row: int) -> int:
    """The number of a row in the Dataset that a user's own is part of."""
    while isinstance(dataset, Subset):
        row, dataset = int(dataset.indices[row]), dataset.dataset
    return row
