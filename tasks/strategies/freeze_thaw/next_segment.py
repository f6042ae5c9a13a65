"""The choice of the next segment among all configurations, started and not."""

from __future__ import annotations

import functools
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nettuner.models.arrays import Floats, Ints
from nettuner.models.segments import until_of
from nettuner.models.space import Space
from nettuner.models.space.lattice import lattice_of
from nettuner.models.study import Proposal, Trial
from nettuner.tasks.strategies.bayesian.candidates import promising
from nettuner.tasks.strategies.bayesian.coordinates import Coordinates, identity
from nettuner.tasks.strategies.bayesian.trend import Trend
from nettuner.tasks.strategies.freeze_thaw.outlook import Domain, Outlook, settings_of
from nettuner.tasks.strategies.freeze_thaw.seconds import seconds_of
from nettuner.tasks.strategies.freeze_thaw.started import Open, Started

if TYPE_CHECKING:
    from nettuner.tasks.strategies.freeze_thaw import FreezeThaw

# In a space with at most so many configurations all of them are candidates.
FEW = 2000
# Number of best configurations from which local search for candidates starts.
LEADERS = 3
# Weight of the prior distributions, in segments.
PULL = 2.0
# When no more may be started, a configuration is continued if the chance that it beats the best is
# at least this.
UNLIKELY = 0.01


@dataclass(frozen=True)
class Few:
    """All configurations of a space that has few.

    Args:
        every: Configurations.
        points: Their points, shape [n, dimensions].
        identities: What each is.
    """

    every: list[dict[str, Any]]
    points: Floats
    identities: list[Hashable]

    def untried(self, taken: Collection[Hashable]) -> list[int]:
        """Indices of those that were not started."""
        return [i for i, identity in enumerate(self.identities) if identity not in taken]


@functools.lru_cache(maxsize=2)
def few(described: str) -> Few | None:
    """All configurations of a space, given as JSON; None if there are many.

    Kept, as their points take longer to compute than all else that a proposal needs.
    """
    space = Space.model_validate_json(described)
    found = lattice_of(space, FEW)
    if found is None:
        return None
    every = list(found)
    return Few(every, Coordinates(space).points(every), [identity(params) for params in every])


class Choice:
    """The state of a search during one `propose` call.

    Args:
        strategy: Settings of the search.
        space: Search space.
        history: Segments that have ended.
        pending: Segments in flight.
    """

    def __init__(
        self,
        strategy: FreezeThaw,
        space: Space,
        history: Sequence[Trial],
        pending: Sequence[Proposal],
    ) -> None:
        self._strategy, self._space, self._history = strategy, space, history
        self._pending = list(pending)
        self._coordinates = Coordinates(space)
        self._started = Started(history, pending, strategy.rounds)
        self._points = self._coordinates.points(self._started.params)
        self._columns = self._coordinates.columns(self._points)

    @property
    def taken(self) -> set[int]:
        """Numbers of all configurations that were started."""
        return self._started.taken

    def add(self, segment: Proposal) -> None:
        """Mark a segment as pending."""
        self._pending.append(segment)
        self._started = Started(self._history, self._pending, self._strategy.rounds)
        if self._believed is not None:
            self.__dict__["_believed"] = self._with(self._believed, segment)

    def best(self, number: int, may_start: bool) -> Proposal | dict[str, Any] | None:
        """The best next segment, or a configuration to start; None if nothing is worth training.

        Args:
            number: Number of the proposal.
            may_start: Whether another configuration may be started.
        """
        outlook, waiting = self._believed, self._started.open()
        if outlook is None:  # equal scores: one has to go on until they differ
            further = self._furthest(number, waiting)
            return self._unmodelled(number) if further is None and may_start else further
        if waiting and self._how_curves_end_is_unknown():
            return self._furthest(number, waiting)
        worth, fresh = self._start(outlook, number) if may_start else (-np.inf, None)
        if waiting:
            which = np.array([one.index for one in waiting])
            reached = np.array([one.reached for one in waiting])
            worths = outlook.of_continuing(which, reached, self._seconds(self._columns[which]))
            first = int(np.argmax(worths))
            if fresh is None and self._is_over(outlook, which):
                return None
            if fresh is None or worths[first] >= worth:
                return self._on(number, waiting[first])
        return fresh

    @functools.cached_property
    def _believed(self) -> Outlook | None:
        """What is expected, as if all segments in flight had ended as expected."""
        if not self._coordinates.searched or self._started.ended < self._strategy.drawn / 2:
            return None
        coordinates = self._coordinates
        trend = Trend(coordinates.positions, coordinates.absences)
        domain = Domain(coordinates.groups, trend, self._strategy.rungs)
        points = self._started.observations()
        settings = settings_of(domain, self._columns, points)
        if settings is None:
            return None
        outlook = Outlook.of(domain, self._columns, points, settings)
        for segment in self._started.flying:
            if outlook is not None:
                outlook = self._with(outlook, segment)
        return outlook

    def _with(self, outlook: Outlook, segment: Proposal) -> Outlook:
        columns = self._coordinates.columns(self._coordinates.points([segment.params]))[0]
        new = len(outlook.process.columns)
        index = self._started.index.get(segment.member if segment.member is not None else -1, new)
        return outlook.believing(columns, index, until_of(segment))

    def _start(self, outlook: Outlook, number: int) -> tuple[float, dict[str, Any] | None]:
        """The configuration most worth starting, and its log worth; None if all were started."""
        coordinates, taken = self._coordinates, self._started.identities

        def worth(points: Floats) -> Floats:
            columns = coordinates.columns(points)
            prior = PULL / (1 + self._started.ended) * coordinates.log_prior(points)
            return outlook.of_starting(columns, self._seconds(columns)) + prior

        if self._few is not None:
            untried = self._few.untried(taken)
            if not untried:
                return -np.inf, None
            worths = worth(self._few.points[untried])
            return float(worths.max()), self._few.every[untried[int(np.argmax(worths))]]
        leaders = self._points[self._leaders(outlook)]
        rng = np.random.default_rng([self._strategy.seed, number])
        for point in promising(coordinates, leaders, worth, rng):
            params = coordinates.params(point)
            if identity(params) not in taken:
                return float(worth(point[None])[0]), params
        return -np.inf, None

    def _leaders(self, outlook: Outlook) -> list[int]:
        """Indices of the started configurations with the best expected scores."""
        every = np.arange(len(self._columns))
        means = outlook.process.mean(self._columns, every, time=1.0)
        return [int(i) for i in np.argsort(means, kind="stable")[:LEADERS]]

    def _seconds(self, columns: Floats) -> Floats | float:
        """Cost of a round of each configuration."""
        if self._strategy.per == "round":
            return 1.0
        known, seconds = self._timed
        if not len(known):
            return 1.0
        trend = Trend(self._coordinates.positions, self._coordinates.absences)
        return seconds_of(self._columns[known], seconds, columns, trend)

    @functools.cached_property
    def _timed(self) -> tuple[Ints, Floats]:
        return self._started.seconds()

    @functools.cached_property
    def _few(self) -> Few | None:
        return few(self._space.model_dump_json())

    def _unmodelled(self, number: int) -> dict[str, Any] | None:
        """A configuration drawn without a model; None if all of a small space were started."""
        rng = np.random.default_rng([self._strategy.seed, number])
        taken = self._started.identities
        if self._few is None:
            return self._space.sample(rng)
        untried = self._few.untried(taken)
        return self._few.every[untried[int(rng.integers(len(untried)))]] if untried else None

    def _is_over(self, outlook: Outlook, which: Ints) -> bool:
        """Whether one was trained in full and no other is likely to become better."""
        return self._has_whole and float(outlook.chances(which).max()) < UNLIKELY

    def _how_curves_end_is_unknown(self) -> bool:
        """Whether looks have cost as much as a whole training, and none was trained in full.

        Where all curves get worse at first, looks alone would never tell that they get better.
        """
        spent = sum(trial.rounds for trial in self._history)
        going_on = any(segment.parent is not None for segment in self._pending)
        return spent >= self._strategy.rounds and not self._has_whole and not going_on

    @functools.cached_property
    def _has_whole(self) -> bool:
        return any(
            trial.succeeded and until_of(trial.proposal) >= self._strategy.rounds
            for trial in self._history
        )

    def _furthest(self, number: int, waiting: Sequence[Open]) -> Proposal | None:
        """The furthest goes on, of equals the one with the lowest score, then the earliest."""
        if not waiting:
            return None
        return self._on(
            number, min(waiting, key=lambda one: (-one.reached, one.last.score, one.index))
        )

    def _on(self, number: int, one: Open) -> Proposal:
        until = next(rung for rung in self._strategy.rungs if rung > one.reached)
        asked = one.last.proposal
        return Proposal(number, asked.params, one.last.number, asked.member, until)
