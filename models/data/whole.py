"""Sets of samples that are held in memory: arrays, and Datasets that turn out to be some."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import default_collate

from nettuner.models.data.samples import Form, parted, plain
from nettuner.models.data.streams import origin, unequal_samples, unreadable
from nettuner.models.inputs import Inputs, each, parts, shapes, taken

# A Dataset is held in memory if it has at most so many rows and bytes.
HELD_ROWS = 100_000
HELD_BYTES = 2**28
# Rows that are read twice, to see whether a Dataset draws at random: where one in ten changes at
# each reading, none of 64 does once in 700,000 times (0.81^64).
READ_TWICE = 64
AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class Whole:
    """Samples in memory.

    Args:
        inputs: Inputs as tensors.
        targets: Targets as tensors, or an array of texts.
        has_targets: Whether targets are other than the inputs.
    """

    inputs: Inputs
    targets: Any
    has_targets: bool

    def __len__(self) -> int:
        return len(parts(self.inputs)[0])

    def at(self, rows: Any) -> Whole:
        """Those at these places."""
        inputs = taken(self.inputs, rows)
        return Whole(
            inputs, taken(self.targets, rows) if self.has_targets else inputs, self.has_targets
        )

    @property
    def row_bytes(self) -> int:
        """Size of a row [bytes]."""
        return _bytes(self.inputs) // max(1, len(self))


def of_arrays(given: Any, name: str, target: str | None) -> Whole:
    """Arrays of samples: a tuple, a mapping or one alone.

    Raises:
        ValueError: They are empty, or differ in their number of rows.
    """
    inputs, targets, has_targets = parted(given, target)
    every = [*parts(inputs), *(parts(targets) if has_targets else [])]
    counts = {len(part) for part in every}
    if len(counts) > 1:
        raise ValueError(
            f"inputs and targets must have the same rows, got {sorted(counts)} in the {name} data; "
            "pair those that belong together"
        )
    if 0 in counts:
        raise empty(name)
    found = plain(each(_tensor, inputs))
    if not has_targets:
        return Whole(found, found, False)
    texts = not isinstance(targets, Mapping | tuple) and _is_texts(targets)
    wanted = np.asarray(targets) if texts else plain(each(_tensor, targets), "targets")
    return Whole(found, wanted, True)


def _is_texts(array: Any) -> bool:
    return not isinstance(array, Tensor) and np.asarray(array).dtype.kind in "OUS"


def _tensor(array: Any) -> Tensor:
    if isinstance(array, Tensor):
        return array.detach().cpu()
    values = np.asarray(array)
    if values.dtype.kind not in "biuf":
        raise ValueError(
            f"arrays must hold numbers, got {values.flat[0]!r:.60} ({values.dtype}); encode it, or "
            "return a DataFrame"
        )
    if values.dtype.kind == "u" and values.dtype != np.uint8:
        values = values.astype(np.int64)
    return torch.from_numpy(np.array(values))


def of_dataset(dataset: Any, name: str, target: str | None) -> Whole | None:
    """A map-style Dataset in memory; None if it is too large, or draws its samples at random.

    Raises:
        ValueError: It is empty, a row cannot be read, or rows differ in their shapes.
    """
    count = len(dataset)
    if count == 0:
        raise empty(name)
    form = Form(target)
    first = form.batch(_collated(dataset, [0], name), "row 0")
    if count > HELD_ROWS or count * (_bytes(first[0]) + _bytes(first[1])) > HELD_BYTES:
        return None
    for row in np.unique(np.linspace(0, count - 1, READ_TWICE).astype(int)).tolist():
        once, twice = (_collated(dataset, [row], name) for _ in range(2))
        if not _equal(once, twice):
            return None
    found = [
        _collated(dataset, list(range(at, min(at + AT_ONCE, count))), name)
        for at in range(0, count, AT_ONCE)
    ]
    inputs, targets, has_targets = parted(_joined(found, dataset, name), target)
    inputs = plain(inputs)
    return Whole(inputs, plain(targets, "targets") if has_targets else inputs, has_targets)


def _collated(dataset: Any, rows: list[int], name: str) -> Any:
    samples = []
    for row in rows:
        try:
            samples.append(dataset[row])
        except Exception as error:
            raise unreadable(name, origin(dataset, row), error) from error
    try:
        return default_collate(samples)
    except TypeError as error:
        kind = str(error).rpartition("found ")[2]
        raise ValueError(
            f"samples must hold numbers, arrays or tensors, got {kind} in row "
            f"{origin(dataset, rows[0])} of the {name} data; convert it in the Dataset, or give a "
            "collate_fn"
        ) from None
    except (RuntimeError, KeyError) as error:
        row = origin(dataset, rows[0])
        raise _unequal(dataset, rows, name) or unreadable(name, row, error) from None


def _joined(found: list[Any], dataset: Any, name: str) -> Any:
    """Collated portions as one."""
    first = found[0]
    if isinstance(first, Mapping):
        return {key: _joined([part[key] for part in found], dataset, name) for key in first}
    if isinstance(first, tuple | list):
        if first and all(isinstance(part, str | bytes) for part in first):
            return [text for part in found for text in part]
        return [_joined(list(part), dataset, name) for part in zip(*found, strict=True)]
    try:
        return torch.cat(found)
    except RuntimeError as error:
        rows = [0, *range(AT_ONCE, len(dataset), AT_ONCE)]
        raise _unequal(dataset, rows, name) or unreadable(name, 0, error) from None


def _unequal(dataset: Any, rows: list[int], name: str) -> ValueError | None:
    """What to say of the first row whose shapes are not those of the first of these rows.

    None where they do not differ, or the rows have not the same parts.
    """
    first: Any = None
    for row in rows:
        found = shapes(plain(default_collate([dataset[row]])))
        first = found if first is None else first
        if len(found) != len(first):
            return None
        if found != first:
            differ = [pair for pair in zip(first, found, strict=True) if pair[0] != pair[1]]
            one, other = (
                ", ".join(str(list(shape[1:])) for shape in s) for s in zip(*differ, strict=True)
            )
            at = f"rows {origin(dataset, rows[0])} and {origin(dataset, row)}"
            return unequal_samples(name, f"{one} and {other}", at)
    return None


def _equal(one: Any, other: Any) -> bool:
    """Whether two readings are the same, missing numbers included."""
    if isinstance(one, Mapping):
        return all(_equal(one[name], other[name]) for name in one)
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(_equal, one, other))
    if not isinstance(one, Tensor):
        return bool(one == other)
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    return bool(torch.all((one == other) | ((one != one) & (other != other))))


def _bytes(inputs: Inputs) -> int:
    return sum(int(part.numel()) * int(part.element_size()) for part in parts(inputs))


def empty(name: str) -> ValueError:
    """What to say of a split without rows."""
    return ValueError(
        f"every split needs a row, got none in the {name} data; give it rows, or leave it out if "
        "it is the test"
    )
