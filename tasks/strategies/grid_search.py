"""Grid search: every combination of a few values per dimension, once, in random order."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from pydantic import Field, StrictInt

from nettuner.models.space import Dimension, Space, Value, lattice, same
from nettuner.models.study import Count, Proposal, Study, Trial, free_numbers
from nettuner.tasks.strategies import Asks, WholeTrials, configured

# A larger grid is taken for a mistake.
LARGEST = 100_000
FINEST, COARSEST, USUAL = 10, 2, 3

Resolution = Annotated[StrictInt, Field(ge=1, le=LARGEST)]


class GridSearch(WholeTrials):
    """Trial k is point number k of a seeded shuffle of the grid.

    A search that is stopped early has therefore tried points from all over the space, and
    neither the width nor a resume changes trial k.
    """

    asks: ClassVar[Asks] = "ahead"
    at_end: ClassVar[str] = "every point of the grid was tried"

    values: dict[str, Annotated[list[Value], Field(min_length=1)]] = Field(
        default_factory=dict,
        description="Exactly these values of a dimension: `{rate: [0.01, 0.1]}`.",
    )
    resolution: Resolution | dict[str, Resolution] | None = Field(
        None,
        description="How many values of each dimension, evenly spaced under its distribution; "
        "one number for all or a number per dimension. Left out: as many (2 to 10) as fit into "
        "stop.trials, or 3 if there is no such limit. An unordered "
        "choice always takes part with all of its values.",
    )
    budget: Count | None = Field(None, description="The study's stop.trials.")

    @classmethod
    def for_study(cls, study: Study, structural: Collection[str] = ()) -> Self:
        """With the study's seed and its number of trials as the budget."""
        return configured(cls, study, seed=study.seed, budget=study.stop.trials)

    def size(self, space: Space) -> int:
        """Number of configurations in the grid.

        Raises:
            ValueError: There are too many, or the settings do not fit the space.
        """
        return self._sized(space)[1]

    def propose(
        self, space: Space, history: Sequence[Trial], pending: Sequence[Proposal], count: int
    ) -> list[Proposal]:
        """The next points of the shuffled grid; none when it is exhausted.

        Raises:
            ValueError: The grid is too large, or the settings do not fit the space.
        """
        levels, size = self._sized(space)
        wanted = free_numbers(history, pending, min(count, size))
        if not wanted or wanted[0] >= size:
            return []
        points = lattice.Lattice(space, levels)
        shuffle = np.random.default_rng(self.seed).permutation(size)
        return [Proposal(k, points[int(shuffle[k])]) for k in wanted if k < size]

    def _sized(self, space: Space) -> tuple[dict[str, list[Any]], int]:
        """Every dimension's values and the number of configurations they make."""
        self._check_names(space)
        levels = self._levels(space)
        size = lattice.count(space, levels, LARGEST)
        if size > LARGEST:
            raise ValueError(
                f"a grid has at most {LARGEST:,} configurations, got {size:,} or more; lower "
                "resolution, list a few values per dimension, or use random search"
            )
        return levels, size

    def _levels(self, space: Space) -> dict[str, list[Any]]:
        if self.budget is None or isinstance(self.resolution, int):
            return self._values_at(space, USUAL)
        levels = self._values_at(space, COARSEST)
        for resolution in range(COARSEST + 1, FINEST + 1):
            finer = self._values_at(space, resolution)
            for name in space.names():  # one more value for as many dimensions as fit the budget
                tried = {**levels, name: finer[name]}
                if lattice.count(space, tried, self.budget) <= self.budget:
                    levels = tried
        return levels

    def _values_at(self, space: Space, usual: int) -> dict[str, list[Any]]:
        """The values of every dimension, where `usual` applies to those without a resolution."""
        given = self.resolution
        if isinstance(given, int):
            usual = given
        own: Mapping[str, int] = given if isinstance(given, dict) else {}
        return {
            name: _listed(name, dimension, self.values[name])
            if name in self.values
            else dimension.grid(own.get(name, usual))
            for name, dimension in space.items()
        }

    def _check_names(self, space: Space) -> None:
        own = self.resolution if isinstance(self.resolution, dict) else {}
        for setting, names in (("values", self.values), ("resolution", own)):
            for name in names:
                if name not in space:
                    raise ValueError(
                        f"grid {setting} must name dimensions, got {name!r}; "
                        f"the space has: {', '.join(space.names())}"
                    )


def _listed(name: str, dimension: Dimension, values: Sequence[Any]) -> list[Any]:
    """The values given, converted to the dimension's own type."""
    found: list[Any] = []
    for value in values:
        if not dimension.contains(value):
            raise ValueError(
                f"grid values must lie inside their dimension, got {name}={value!r}; "
                f"it takes {dimension.support()}"
            )
        if any(same(value, other) for other in found):
            raise ValueError(f"grid values must be distinct, got {name}={value!r} twice; drop one")
        if dimension.levels is not None:
            found.append(next(level for level in dimension.levels if same(level, value)))
        else:
            found.append(float(value) if isinstance(dimension.from_unit(0.5), float) else value)
    return found
