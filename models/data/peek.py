"""The first rows of data of one's own, which say what all of them are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nettuner.models.data.streams import IterableStream, RowStream, Stream
from nettuner.models.data.whole import Whole, empty
from nettuner.models.inputs import parts

# Rows of a Dataset that are looked at to see what it holds.
LOOKED_AT = 64

Known = Whole | Stream


@dataclass(frozen=True, eq=False)
class Peek:
    """The first rows of a split: inputs, targets, and whether these are other than the inputs."""

    inputs: Any
    targets: Any
    has_targets: bool

    @property
    def row_bytes(self) -> int:
        """Size of a row [bytes]."""
        every = parts(self.inputs)
        return int(sum(p.numel() * p.element_size() for p in every)) // max(1, len(every[0]))


def peek(part: Known) -> Peek:
    """The first rows of a split; starts no process."""
    if isinstance(part, Whole):
        first = part if len(part) <= LOOKED_AT**2 else part.at(slice(LOOKED_AT**2))
        return Peek(first.inputs, first.targets, part.has_targets)
    batches = read_here(part)
    found = next(batches, None)
    batches.close()
    if found is None:
        raise empty(part.name)
    inputs, targets = found
    return Peek(inputs, targets, inputs is not targets)


def read_here(part: Stream) -> Any:
    """The batches of an epoch, read by this process."""
    if isinstance(part, RowStream):
        rows = range(len(part))
        places = [list(rows[at : at + LOOKED_AT]) for at in range(0, len(part), LOOKED_AT)]
        return part.read(places, here=True)
    if isinstance(part, IterableStream):
        part = part.loaded(LOOKED_AT)
    return part.read(0, 0, here=True)
