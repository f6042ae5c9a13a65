"""Bayesian optimisation: a Gaussian process learns the scores and says what to try next.

Sources: Jones, Schonlau & Welch, Efficient Global Optimization (1998); Snoek, Larochelle & Adams,
Practical Bayesian Optimization (2012), arXiv:1206.2944. The model is scikit-optimize's, told
everything anew for each proposal; the candidates, and the choice among them, are our own, so
that every proposal is a valid configuration that was not tried before.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.random import Generator
from pydantic import BaseModel, ConfigDict, Field

from models.space import Number, Params, Space
from models.study import Count, Proposal, Study, Trial, free_numbers
from tasks import surrogate
from tasks.coordinates import Coordinates, Floats, identity
from tasks.lattice import Lattice
from tasks.lattice import count as count_configurations
from tasks.strategies import Seed, configured

# A space with no more configurations than this is tried to the last of them.
FEW = 10_000
# Third words of seeds, which keep these apart from the candidates of trial number so-and-so.
DESIGN, SHUFFLE, FIT = 1, 2, 3
# Candidates drawn from the whole space, and how often each of the best trials is moved a little.
EVERYWHERE, LEADERS, COPIES = 500, 3, 60
# Then the most promising candidates are moved by smaller and smaller steps.
PROMISING, RADII = 5, (0.1, 0.03, 0.01, 0.003)
BLOCK = 16


class Bayesian(BaseModel):
    """Start points that fill the space, then whatever promises the largest improvement."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    adaptive: ClassVar[bool] = True
    one_by_one: ClassVar[bool] = True
    counts_members: ClassVar[bool] = False

    initial: Count | None = Field(
        None,
        description="Trials that only fill the space before the model decides; left out: two per "
        "dimension, but at most a quarter of stop.trials and at least 4.",
    )
    explore: Annotated[Number, Field(ge=0, le=100)] = Field(
        1,
        description="Curiosity. 0 only refines what the model thinks best, 1 weighs the unknown "
        "by how unsure the model is, 2 acts as if the model were twice as unsure.",
    )
    budget: Count | None = Field(None, description="The study's stop.trials.")
    seed: Seed

    @classmethod
    def for_study(cls, study: Study, structural: Collection[str] = ()) -> Self:
        """With the study's seed and its number of trials as the budget."""
        return configured(cls, study, seed=study.seed, budget=study.stop.trials)

    def size(self, space: Space) -> int | None:
        """The number of configurations where they are few; else None, as it never ends."""
        lattice = _lattice(space)
        return None if lattice is None else len(lattice)

    def propose(
        self, space: Space, history: Sequence[Trial], pending: Sequence[Proposal], count: int
    ) -> list[Proposal]:
        """The next start points, or the most promising configurations that are untried.

        Several at once are chosen one after the other, each as if those before it were pending.
        """
        from threadpoolctl import threadpool_limits

        asked = _Asked(space, sorted(history, key=lambda trial: trial.number), pending)
        numbers = free_numbers(history, pending, count)
        with threadpool_limits(1, user_api="blas"):  # more make small matrices slower
            return [Proposal(*chosen) for chosen in self._chosen(asked, numbers)]

    def _chosen(
        self, asked: _Asked, numbers: Sequence[int]
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        initial = self.initial or self._usual_initial(len(asked.coordinates.searched))
        # Enough is known for a model when as many trials as there are start points have ended.
        model = self._model(asked, numbers) if len(asked.history) >= initial else None
        design: list[dict[str, Any]] | None = None
        for number in numbers:
            params: dict[str, Any] | None = None
            if number < initial or model is None:
                design = design or list(self._design(asked, max(numbers) + 1))
                params = self._start_point(asked, design, number, strict=model is not None)
            if params is None and model is not None:
                params = self._most_promising(asked, model, number)
            if params is None:
                return
            asked.add(params)
            yield number, params

    def _usual_initial(self, dimensions: int) -> int:
        wanted = 2 * dimensions
        return max(4, wanted if self.budget is None else min(wanted, self.budget // 4))

    def _design(self, asked: _Asked, length: int) -> Iterator[dict[str, Any]]:
        """The first `length` different configurations of a scrambled Sobol sequence.

        Which one comes k-th depends on seed and k alone. Where the configurations are few, those
        the sequence has missed follow in random order.
        """
        from scipy.stats import qmc

        space, searched = asked.space, asked.coordinates.searched
        seen: set[Hashable] = set()
        units = dict.fromkeys(space.names(), 0.5)

        def candidates() -> Iterator[dict[str, Any]]:
            if searched:
                rng = np.random.default_rng([self.seed, 0, DESIGN])
                sobol = qmc.Sobol(len(searched), rng=rng)
                for _ in range(4 + length // 4):
                    for row in sobol.random(BLOCK).tolist():
                        yield space.from_units(units | dict(zip(searched, row, strict=True)))
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
        """Point `number` of the design, unless that was tried; then, if not strict, another."""
        own = design[number : number + 1]
        for params in own if strict else own + design:
            if asked.is_new(params):
                return params
        if strict:
            return None
        if asked.lattice is not None:
            return next((params for params in asked.lattice if asked.is_new(params)), None)
        return asked.space.sample(np.random.default_rng([self.seed, number]))

    def _model(self, asked: _Asked, numbers: Sequence[int]) -> _Model | None:
        """What the history teaches; None if it has no two different scores."""
        done = [trial for trial in asked.history if trial.succeeded]
        targets = surrogate.standardised(np.array([trial.score for trial in done], dtype=float))
        if targets is None or not asked.coordinates.searched or not numbers:
            return None
        failed = [trial for trial in asked.history if not trial.succeeded]
        points = asked.coordinates.points(t.proposal.params for t in (*done, *failed))
        columns = asked.coordinates.columns(points)
        worst = np.full(len(failed), targets.max())
        seed = np.random.SeedSequence([self.seed, numbers[0], FIT]).generate_state(1)[0]
        process = surrogate.fit(columns, np.concatenate([targets, worst]), int(seed) >> 1)
        leaders = points[np.argsort(targets, kind="stable")[:LEADERS]]
        # The model's own mean at the trials instead of their lowest score: noise is no record.
        mean, _ = surrogate.posterior(process, columns[: len(done)], columns[:0])
        return _Model(process, leaders, float(mean.min()))

    def _most_promising(self, asked: _Asked, model: _Model, number: int) -> dict[str, Any] | None:
        """The untried candidate with the largest expected improvement; None if none is left."""
        rng = np.random.default_rng([self.seed, number])
        coordinates = asked.coordinates
        believed = coordinates.columns(coordinates.points(asked.pending))
        best = model.best
        if len(believed):  # what is expected of these trials is no improvement any more
            best = min(best, surrogate.posterior(model.process, believed, believed[:0])[0].min())

        def promise(points: Floats) -> Floats:
            columns = coordinates.columns(points)
            mean, std = surrogate.posterior(model.process, columns, believed)
            if self.explore == 0:
                return -mean
            return surrogate.log_expected_improvement(mean, self.explore * std, best)

        if asked.lattice is not None:
            untried = [params for params in asked.lattice if asked.is_new(params)]
            return (
                untried[int(np.argmax(promise(coordinates.points(untried))))] if untried else None
            )
        pool = _candidates(coordinates, model.leaders, rng)
        promises = promise(pool)
        for radius in RADII:
            top = pool[np.argsort(-promises, kind="stable")[:PROMISING]]
            near = coordinates.nearby(np.repeat(top, COPIES // 2, axis=0), radius, rng)
            pool, promises = np.concatenate([pool, near]), np.append(promises, promise(near))
        for i in np.argsort(-promises, kind="stable"):
            params = coordinates.params(pool[i])
            if asked.is_new(params):
                return params
        return asked.space.sample(rng)


@dataclass(frozen=True)
class _Model:
    """What the history taught.

    Args:
        process: The Gaussian process.
        leaders: Points of the best trials.
        best: The lowest mean at any trial.
    """

    process: Any
    leaders: Floats
    best: float


class _Asked:
    """The arguments of one call, and the configurations that are taken while it answers."""

    def __init__(self, space: Space, history: Sequence[Trial], pending: Sequence[Proposal]) -> None:
        self.space = space
        self.history = history
        self.pending: list[Params] = [
            proposal.params for proposal in sorted(pending, key=lambda p: p.number)
        ]
        self.coordinates = Coordinates(space)
        self.lattice = _lattice(space)
        self._taken = {identity(trial.proposal.params) for trial in history}
        self._taken |= {identity(params) for params in self.pending}

    def is_new(self, params: Params) -> bool:
        """Whether nobody has tried or is trying this configuration."""
        return identity(params) not in self._taken

    def add(self, params: Params) -> None:
        """Take note that this configuration is about to be tried."""
        self._taken.add(identity(params))
        self.pending.append(params)


def _lattice(space: Space) -> Lattice | None:
    """All configurations, where these are few."""
    levels = {name: dimension.levels for name, dimension in space.items()}
    listed = {name: values for name, values in levels.items() if values is not None}
    if len(listed) < len(levels) or count_configurations(space, listed, FEW) > FEW:
        return None
    return Lattice(space, listed)


def _candidates(coordinates: Coordinates, leaders: Floats, rng: Generator) -> Floats:
    """Points from everywhere, near the best trials, and those one choice away from them."""
    units = rng.random((EVERYWHERE, len(coordinates.names)))
    near = [
        coordinates.nearby(np.repeat(leaders, COPIES, axis=0), radius, rng) for radius in RADII[:2]
    ]
    everywhere = coordinates.masked(coordinates.drawn(units))
    return np.concatenate([everywhere, *near, coordinates.flips(leaders, rng)])
