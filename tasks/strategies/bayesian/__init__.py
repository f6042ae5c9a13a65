"""Bayesian optimisation with a Gaussian process as the surrogate model.

Sources: Jones, Schonlau & Welch, Efficient Global Optimization (1998); Snoek, Larochelle & Adams,
Practical Bayesian Optimization (2012), arXiv:1206.2944. The model is fitted anew
for each call; every candidate is a valid configuration that was not tried before.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

import numpy as np
from pydantic import Field, StrictBool
from pydantic.json_schema import SkipJsonSchema

from nettuner.models.arrays import Floats
from nettuner.models.space import Number, Params, Space, Value
from nettuner.models.space.complete import completed
from nettuner.models.space.lattice import lattice_of
from nettuner.models.study import Count, Proposal, Study, Trial, best, free_numbers
from nettuner.tasks.strategies import Asks, WholeTrials, configured
from nettuner.tasks.strategies.bayesian.coordinates import Coordinates, identity
from nettuner.tasks.strategies.bayesian.repetition import (
    PLAUSIBLE,
    is_exact,
    is_noisy,
    plausible,
)
from nettuner.tasks.strategies.bayesian.targets import DECIMALS

if TYPE_CHECKING:
    from nettuner.tasks.strategies.bayesian.expectation import Expectation

# In a space with at most so many configurations all of them are candidates.
FEW = 10_000
# Third entries of seeds, so that they differ from those of candidates (seed, trial number).
DESIGN, SHUFFLE, FIT = 1, 2, 3
# Number of best trials from which local search for candidates starts.
LEADERS = 3
BLOCK = 16
# Start points come from this central share of each axis: in many dimensions nearly all of a space
# is near some bound, where optima are rare.
MIDST = 0.7


class Bayesian(WholeTrials):
    """Start points that fill the space, then whatever promises the largest improvement."""

    asks: ClassVar[Asks] = "single"

    initial: Count | None = Field(
        None,
        description="Trials that only fill the space before the model decides; left out: two per "
        "dimension, but at most a fifth of stop.trials and at least 4.",
    )
    explore: Annotated[Number, Field(ge=0, le=100)] = Field(
        1,
        description="Curiosity. 0 only refines what the model thinks best, 1 weighs the unknown "
        "by how unsure the model is, 2 acts as if the model were twice as unsure.",
    )
    try_first: list[dict[str, Value]] = Field(
        default_factory=list,
        description="Configurations to try before all others, such as the ones in use. A "
        "hyperparameter that one leaves out has the middle of its distribution.",
    )
    warm_start: StrictBool = Field(
        False,
        description="Learn from all earlier searches of this study, too, as far as they help to "
        "predict the trials of this one; their space may have been another.",
    )
    repeat: StrictBool | None = Field(
        None,
        description="Whether a configuration may be tried again, for a metric so noisy that its "
        "best value is mostly luck; left out: one of the best where the model learns more from "
        "that than from a new one.",
    )
    earlier: SkipJsonSchema[list[list[Trial]]] = Field(
        default_factory=list, description="The trials of each earlier search, oldest first."
    )
    budget: Count | None = Field(None, description="The study's stop.trials.")

    @classmethod
    def for_study(cls, study: Study, structural: Collection[str] = ()) -> Self:
        """With the study's seed and its number of trials as the budget."""
        return configured(cls, study, seed=study.seed, budget=study.stop.trials, earlier=[])

    def size(self, space: Space) -> int | None:
        """The number of configurations if there are few; else None, as it never ends.

        Raises:
            ValueError: A configuration of `try_first` does not fit the space.
        """
        self._given(space)
        lattice = None if self.repeat else lattice_of(space, FEW)
        return None if lattice is None else len(lattice)

    def propose(
        self, space: Space, history: Sequence[Trial], pending: Sequence[Proposal], count: int
    ) -> list[Proposal]:
        """The next start points, or the untried configurations with the best acquisition value.

        Several at once are chosen in turn, each as if those before it were pending.

        Raises:
            ValueError: The history or a configuration of `try_first` does not fit the space.
        """
        from threadpoolctl import threadpool_limits

        for proposal in (*(trial.proposal for trial in history), *pending):
            if not space.contains(proposal.params):
                raise ValueError(
                    f"every trial of a history must fit the space, got trial {proposal.number} "
                    f"with {dict(proposal.params)!r:.200}; give it as a search of its own in "
                    "`earlier`, or leave it out"
                )
        asked = _Asked(space, history, pending, self.repeat)
        with threadpool_limits(1, user_api="blas"):  # more make small matrices slower
            return list(self._chosen(asked, free_numbers(history, pending, count)))

    def needed(self, history: Sequence[Trial], pending: Sequence[Proposal]) -> set[int]:
        """The trials that may be the winner; none is continued."""
        return {trial.number for trial in plausible(history)}

    def winner(self, space: Space, history: Sequence[Trial]) -> Trial | None:
        """The trial with the best score, or, where trials are noisy, with the best expected one.

        Noise is what configurations show that were tried more than once, and what trials say that
        are means of several trainings: without it, a model that fits badly would explain by noise
        what it does not understand. The winner is one of the few with the best scores.
        """
        from threadpoolctl import threadpool_limits

        chosen = best(history)
        if chosen is None or not is_noisy(history):
            return chosen
        asked = _Asked(space, history, (), repeat=False)
        earlier = [fitting(space, trials) for trials in self.earlier]
        with threadpool_limits(1, user_api="blas"):
            expected = self._expected(asked, earlier, len(asked.history))
            if expected is None:
                return chosen
            candidates = plausible(history)
            points = asked.coordinates.points(trial.proposal.params for trial in candidates)
            means = np.round(expected.mean(points), DECIMALS)
        return candidates[int(np.argmin(means))]

    def _chosen(self, asked: _Asked, numbers: Sequence[int]) -> Iterator[Proposal]:
        given = self._given(asked.space)
        earlier = [fitting(asked.space, trials) for trials in self.earlier]
        initial = self.initial or self._usual_initial(asked, earlier)
        # The model is used after the start points, as soon as half of them have ended.
        expected = None
        if numbers and len(asked.history) >= initial / 2 and max(numbers) >= initial:
            expected = self._expected(asked, earlier, numbers[0])
        design: list[dict[str, Any]] | None = None
        for number in numbers:
            params: dict[str, Any] | None = None
            if number < len(given) and asked.is_new(given[number]):
                params = given[number]
            elif number < initial or expected is None:
                design = design or list(self._design(asked, initial, max(numbers) + 1))
                params = self._start_point(asked, design, number, strict=expected is not None)
            if params is None and expected is not None:
                params = self._most_promising(asked, expected, number)
            if params is None:
                return
            asked.add(params)
            yield Proposal(number, params)

    def _given(self, space: Space) -> list[dict[str, Any]]:
        return [
            completed(space, params, f"try_first[{i}]") for i, params in enumerate(self.try_first)
        ]

    def _usual_initial(self, asked: _Asked, earlier: Sequence[Sequence[Trial]]) -> int:
        """Two per dimension, at most a fifth of the budget, less the number of earlier trials."""
        wanted = 2 * len(asked.coordinates.searched)
        usual = max(4, wanted if self.budget is None else min(wanted, self.budget // 5))
        return max(0, usual - sum(trial.succeeded for trials in earlier for trial in trials))

    def _design(self, asked: _Asked, initial: int, length: int) -> Iterator[dict[str, Any]]:
        """The middle, then a scrambled Sobol sequence: `length` different configurations.

        The first `initial` are in the central share of each axis, any further ones everywhere. The
        k-th depends on these arguments, the seed and k alone. In a space with few configurations,
        those that the sequence has missed follow in random order.
        """
        from scipy.stats import qmc

        space, searched = asked.space, asked.coordinates.searched
        seen: set[Hashable] = set()
        units = dict.fromkeys(space.names(), 0.5)
        ordered = np.array([space[name].is_ordered for name in searched])

        def candidates() -> Iterator[dict[str, Any]]:
            yield space.from_units(units)
            if searched:
                rng = np.random.default_rng([self.seed, 0, DESIGN])
                sobol = qmc.Sobol(len(searched), rng=rng)
                for _ in range(4 + length // 4):
                    for row in sobol.random(BLOCK):
                        shares = np.where(ordered & (len(seen) < initial), MIDST, 1.0)
                        place = dict(zip(searched, 0.5 + shares * (row - 0.5), strict=True))
                        yield space.from_units(units | place)
            lattice = asked.lattice
            if lattice is not None:
                rng = np.random.default_rng([self.seed, 0, SHUFFLE])
                yield from (lattice[int(i)] for i in rng.permutation(len(lattice)))

        for params in candidates():
            if identity(params) not in seen:
                seen.add(identity(params))
                yield params
            if len(seen) >= length:
                return

    def _start_point(
        self, asked: _Asked, design: list[dict[str, Any]], number: int, strict: bool
    ) -> dict[str, Any] | None:
        """Point `number` of the design; if that was tried, another one, or None if strict."""
        own = design[number : number + 1]
        for params in own if strict or self.repeat else own + design:
            if asked.is_new(params):
                return params
        if strict:
            return None
        if asked.lattice is not None and not self.repeat:
            return next((params for params in asked.listed if asked.is_new(params)), None)
        return asked.space.sample(np.random.default_rng([self.seed, number]))

    def _expected(
        self, asked: _Asked, earlier: Sequence[Sequence[Trial]], number: int
    ) -> Expectation | None:
        from nettuner.tasks.strategies.bayesian.expectation import (
            expect,  # imports scikit-optimize, which takes seconds
        )

        seed = np.random.SeedSequence([self.seed, number, FIT]).generate_state(1)[0]
        return expect(asked.coordinates, asked.history, earlier, int(seed) >> 1)

    def _most_promising(
        self, asked: _Asked, expected: Expectation, number: int
    ) -> dict[str, Any] | None:
        """The untried candidate with the best acquisition value; None if none is left."""
        from nettuner.tasks.strategies.bayesian.candidates import promising

        coordinates = asked.coordinates
        pending = coordinates.points(asked.pending)

        def promise(points: Floats) -> Floats:
            return expected.promise(points, pending, self.explore)

        if asked.lattice is not None:
            untried = [params for params in asked.listed if asked.is_new(params)]
            # A trial of a known configuration took the place of one of the others.
            enough = self._may_repeat(asked) and number >= len(asked.listed)
            if not untried or enough:
                return None
            points = coordinates.points(untried)
            place = int(np.argmax(promise(points)))
            return self._or_again(asked, expected, points[place], untried[place])
        rng = np.random.default_rng([self.seed, number])
        for point in promising(coordinates, expected.leaders[:LEADERS], promise, rng):
            params = coordinates.params(point)
            alike = not self.repeat and not expected.tells_apart(point, pending)
            if asked.is_new(params) and not alike:
                return self._or_again(asked, expected, point, params)
        return asked.space.sample(rng)

    def _or_again(
        self, asked: _Asked, expected: Expectation, point: Floats, params: dict[str, Any]
    ) -> dict[str, Any]:
        """These parameters, or those of a good trial that is worth more once more."""
        if not self._may_repeat(asked) or asked.may_be_exact:
            return params
        again = expected.again(point, PLAUSIBLE)
        if again is None or (known := asked.coordinates.params(again)) in asked.pending:
            return params
        return known

    def _may_repeat(self, asked: _Asked) -> bool:
        """Whether it decides by itself, and the budget is not enough for every configuration."""
        tries_all = 0 < len(asked.listed) <= (self.budget or FEW)
        return self.repeat is None and not tries_all


def fitting(space: Space, trials: Sequence[Trial]) -> list[Trial]:
    """The trials of an earlier search that fit this space.

    Hyperparameters outside this space are dropped, missing ones stay absent; trials with a value
    outside this space are left out.
    """
    found = []
    for trial in trials:
        params = {name: v for name, v in trial.proposal.params.items() if name in space}
        if params and all(space[name].contains(value) for name, value in params.items()):
            own = Proposal(trial.number, params)
            found.append(Trial(own, trial.score, trial.reason, scores=trial.scores))
    return found


class _Asked:
    """The arguments of one `propose` call, and the configurations chosen so far."""

    def __init__(
        self,
        space: Space,
        history: Sequence[Trial],
        pending: Sequence[Proposal],
        repeat: bool | None,
    ) -> None:
        self.space = space
        self.history = sorted(history, key=lambda trial: trial.number)
        self.pending: list[Params] = [
            proposal.params for proposal in sorted(pending, key=lambda p: p.number)
        ]
        self.coordinates = Coordinates(space)
        self.lattice = lattice_of(space, FEW)
        self._repeat = bool(repeat)
        self._taken = {identity(trial.proposal.params) for trial in history}
        self._taken |= {identity(params) for params in self.pending}

    @functools.cached_property
    def listed(self) -> list[dict[str, Any]]:
        """All configurations of a space that has few."""
        return list(self.lattice or ())

    @property
    def may_be_exact(self) -> bool:
        """Whether scores do not vary by chance, or a pending repetition is going to tell."""
        if is_noisy(self.history):
            return False
        tried = {identity(trial.proposal.params) for trial in self.history}
        telling = any(identity(params) in tried for params in self.pending)
        return telling or is_exact(self.history)

    def is_new(self, params: Params) -> bool:
        """Whether this configuration was not tried or proposed yet, or may be repeated."""
        return self._repeat or identity(params) not in self._taken

    def add(self, params: Params) -> None:
        """Mark this configuration as pending."""
        self._taken.add(identity(params))
        self.pending.append(params)
