"""All configurations of a space whose dimensions have a few values each, as a numbered list.

Inactive dimensions are absent from a configuration, and no configuration is listed twice.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nettuner.models.space import Space

Levels = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Branch:
    """The configurations that agree in all dimensions that conditions depend on.

    Args:
        shared: Values of the dimensions that conditions depend on.
        free: Values of each other active dimension.
    """

    shared: Mapping[str, Any]
    free: Mapping[str, Sequence[Any]]

    @property
    def size(self) -> int:
        """How many configurations it has; may be larger than a machine's integers."""
        return math.prod(len(values) for values in self.free.values())

    def at(self, index: int) -> dict[str, Any]:
        """Configuration number `index`: its digits in a mixed radix system."""
        found = dict(self.shared)
        for name, values in self.free.items():
            index, digit = divmod(index, len(values))
            found[name] = values[digit]
        return found


def branches(space: Space, levels: Levels) -> Iterator[Branch]:
    """One branch for every combination of values of the dimensions that conditions depend on."""
    looked_at = {parent for _, dimension in space.items() for parent in dimension.when or {}}
    parents = [name for name in space.order if name in looked_at]

    def grow(shared: dict[str, Any], depth: int) -> Iterator[Branch]:
        if depth == len(parents):
            others = (name for name in space.names() if name not in looked_at)
            yield Branch(
                shared, {name: levels[name] for name in others if space.is_active(name, shared)}
            )
        elif not space.is_active(parents[depth], shared):
            yield from grow(shared, depth + 1)
        else:
            for value in levels[parents[depth]]:
                yield from grow({**shared, parents[depth]: value}, depth + 1)

    return grow({}, 0)


def count(space: Space, levels: Levels, most: int) -> int:
    """How many configurations there are: exact up to `most`, else some number above it.

    It lists no configurations and looks at no more than `most` branches.
    """
    total = 0
    for branch in branches(space, levels):
        total += branch.size
        if total > most:
            break
    return total


class Lattice(Sequence[dict[str, Any]]):
    """The configurations by number, from 0; check by `count` first that they are few."""

    def __init__(self, space: Space, levels: Levels) -> None:
        self._names = space.names()
        self._branches = list(branches(space, levels))
        self._ends = list(itertools.accumulate(branch.size for branch in self._branches))

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: Any) -> Any:
        if not 0 <= index < len(self):
            raise IndexError(f"configurations are numbered 0 to {len(self) - 1}, got {index}")
        place = bisect.bisect_right(self._ends, index)
        branch = self._branches[place]
        found = branch.at(index - (self._ends[place] - branch.size))
        return {name: found[name] for name in self._names if name in found}


def lattice_of(space: Space, most: int) -> Lattice | None:
    """All configurations of a space; None if there are more than `most`."""
    levels = {name: dimension.levels for name, dimension in space.items()}
    listed = {name: values for name, values in levels.items() if values is not None}
    if len(listed) < len(levels) or count(space, listed, most) > most:
        return None
    return Lattice(space, listed)
