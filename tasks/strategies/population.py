"""Population based training: members train side by side; the worst continue from the best.

Source: Jaderberg et al., Population Based Training of Neural Networks (2017), arXiv:1711.09846;
here in generations: everybody trains for a while, then everybody is compared.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from numpy.random import Generator
from pydantic import BaseModel, ConfigDict, Field, StrictInt, field_validator

from models.space import Dimension, Number, Params, Space, same
from models.study import Count, Proposal, Study, Trial
from tasks.strategies import Seed, configured

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

USUAL_SIZE = 16
USUAL_GENERATIONS = 8
# Third word of the seed of a generation's choice of parents: keeps it apart from the members'.
PARENTS = 1


def truncation_parents(scores: Floats, fraction: float, rng: Generator) -> Ints:
    """Whose weights each member of the population continues from.

    The worst `fraction`, and whoever has no score, copies members drawn uniformly from the best
    `fraction`; everyone else continues from itself. Ties are broken by position.

    Args:
        scores: Shape [population], lower is better. NaN counts as worst.
        fraction: Share of the population replaced, in (0, 0.5]; at least one member is.
        rng: Drawn from once, whatever the population size.

    Returns:
        Shape [population]: entry i is the index member i continues from.

    Raises:
        ValueError: `fraction` is outside (0, 0.5], `scores` is not one-dimensional, or nobody
            has a score.

    Source: truncation selection, Jaderberg et al. (2017), arXiv:1711.09846.
    """
    if scores.ndim != 1:
        raise ValueError(f"scores must have shape [population], got {scores.shape}")
    if not 0 < fraction <= 0.5:
        raise ValueError(f"fraction must be in (0, 0.5], got {fraction}")
    failed = int(np.isnan(scores).sum())
    if failed == len(scores):
        raise ValueError(f"somebody must have a score, got {scores}; there is nobody to copy")
    best_first = np.argsort(scores, kind="stable")  # NaN sorts last
    quota = max(1, int(fraction * len(scores)))
    elite = best_first[: min(quota, len(scores) - failed)]
    replaced = max(quota, failed)
    parents = np.arange(len(scores))
    parents[best_first[-replaced:]] = rng.choice(elite, size=replaced)
    return parents


class Population(BaseModel):
    """A population of networks whose hyperparameters change while they train.

    Trial number = generation * size + member. Each trial is one segment of training, continued
    from the trial named as its parent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    adaptive: ClassVar[bool] = True
    one_by_one: ClassVar[bool] = False
    counts_members: ClassVar[bool] = True

    members: StrictInt = Field(
        USUAL_SIZE,
        alias="size",
        description="Networks in the population, at least 2; left out: stop.trials, or 16. "
        "Below 10 a population is unstable, 20 to 40 are enough.",
    )
    interval: Count | None = Field(
        None,
        description="Rounds (epochs) that everybody trains between two comparisons; left out: an "
        "eighth of the whole training.",
    )
    fraction: Number = Field(
        0.2,
        description="Share of the population that is replaced, and share that is copied, at each "
        "comparison: above 0, at most 0.5.",
    )
    resample: Number = Field(
        0.25,
        description="Probability, 0 to 1, that a copied hyperparameter is drawn anew from its "
        "distribution instead of moved a little.",
    )
    perturb: Number = Field(
        0.2,
        description="How far a copied hyperparameter moves up or down, as a share of its "
        "distribution: above 0, at most 1. Whole numbers and choices move by at least one value.",
    )
    seed: Seed
    rounds: Count = Field(description="Rounds (epochs) of a whole training, from the study.")
    structural: frozenset[str] = Field(
        frozenset(),
        description="Hyperparameters that fix tensor shapes, from the learner: they stay with "
        "the weights.",
    )

    @field_validator("members")
    @classmethod
    def _two_or_more(cls, members: int) -> int:
        if members < 2:
            raise ValueError(f"a population needs size >= 2, got {members}; allow more trials")
        return members

    @field_validator("fraction")
    @classmethod
    def _at_most_half(cls, fraction: float) -> float:
        if not 0 < fraction <= 0.5:
            raise ValueError(
                f"fraction must be in (0, 0.5], got {fraction:g}; 0.2 replaces the worst fifth"
            )
        return fraction

    @field_validator("resample")
    @classmethod
    def _a_probability(cls, resample: float) -> float:
        if not 0 <= resample <= 1:
            raise ValueError(
                f"resample must be in [0, 1], got {resample:g}; 0.25 draws every fourth anew"
            )
        return resample

    @field_validator("perturb")
    @classmethod
    def _a_share(cls, perturb: float) -> float:
        if not 0 < perturb <= 1:
            raise ValueError(
                f"perturb must be in (0, 1], got {perturb:g}; 0.2 moves by a fifth of the range"
            )
        return perturb

    @classmethod
    def for_study(cls, study: Study, structural: Collection[str] = ()) -> Self:
        """With the study's seed and length; its number of trials is the usual size.

        Raises:
            ValidationError: a setting is unknown or has an impossible value.
            ValueError: the study has no length, or allows fewer trials than there are members.
        """
        if study.rounds < 1:
            raise ValueError(
                "a population needs a study with a length, got neither epochs nor steps; "
                "give epochs"
            )
        filled: dict[str, Any] = {
            "seed": study.seed,
            "rounds": study.rounds,
            "structural": frozenset(structural),
        }
        if "size" not in study.strategy.settings:
            filled["size"] = study.stop.trials or USUAL_SIZE
        population = configured(cls, study, **filled)
        if study.stop.trials is not None and study.stop.trials < population.members:
            raise ValueError(
                f"a population needs stop.trials >= size, got stop.trials={study.stop.trials} "
                f"and size={population.members}; each member counts once: raise stop.trials"
            )
        return population

    @property
    def portion(self) -> int:
        """Rounds in one generation."""
        return self.interval or math.ceil(self.rounds / USUAL_GENERATIONS)

    @property
    def generations(self) -> int:
        """How often everybody trains for a portion; the last one may be shorter."""
        return math.ceil(self.rounds / self.portion)

    def size(self, space: Space) -> int:
        """How many segments of training there are."""
        return self.members * self.generations

    def propose(
        self, space: Space, history: Sequence[Trial], pending: Sequence[Proposal], count: int
    ) -> list[Proposal]:
        """Segments of the first generation that is not complete.

        None while one of them is still pending and nothing else is missing, after the last
        generation, and when a whole generation failed.
        """
        done = {trial.number: trial for trial in history}
        running = {proposal.number for proposal in pending}
        for generation in range(self.generations):
            numbers = range(generation * self.members, (generation + 1) * self.members)
            missing = [number for number in numbers if number not in done]
            if missing:
                wanted = [number for number in missing if number not in running]
                return self._segments(space, done, generation, wanted[:count])
        return []

    def _segments(
        self, space: Space, done: dict[int, Trial], generation: int, numbers: list[int]
    ) -> list[Proposal]:
        until = min(self.rounds, (generation + 1) * self.portion)
        if generation == 0:
            return [
                Proposal(k, space.sample(np.random.default_rng([self.seed, k])), None, k, until)
                for k in numbers
            ]
        first = (generation - 1) * self.members
        before = [done[first + member] for member in range(self.members)]
        if not any(trial.succeeded for trial in before):
            return []
        scores = np.array([t.score if t.succeeded else np.nan for t in before], dtype=float)
        rng = np.random.default_rng([self.seed, generation, PARENTS])
        parents = truncation_parents(scores, self.fraction, rng)
        segments = []
        for number in numbers:
            member = number % self.members
            parent = before[parents[member]]
            params = parent.proposal.params
            if parents[member] != member:
                params = self._explore(space, params, np.random.default_rng([self.seed, number]))
            segments.append(Proposal(number, params, parent.number, member, until))
        return segments

    def _explore(self, space: Space, params: Params, rng: Generator) -> dict[str, Any]:
        """Hyperparameters near those of the winner; uses four numbers per dimension.

        A dimension that comes to exist is drawn, one that no longer does is dropped.
        """
        pinned = _pinned(space, self.structural)
        draws = dict(zip(space.names(), rng.random((len(space), 4)).tolist(), strict=True))
        found: dict[str, Any] = {}
        for name in space.order:
            dimension = space[name]
            anew, unit, direction, which = draws[name]
            if not space.is_active(name, found):
                continue
            if name in pinned and name in params:
                found[name] = params[name]
            elif name not in params or anew < self.resample:
                found[name] = dimension.from_unit(unit)
            else:
                step = self.perturb if direction < 0.5 else -self.perturb
                found[name] = moved(dimension, params[name], step, which)
        return {name: found[name] for name in space.names() if name in found}


def _pinned(space: Space, structural: Collection[str]) -> set[str]:
    """The structural dimensions, and all that decides whether these exist."""
    found = {name for name in structural if name in space}
    for name in reversed(space.order):
        if name in found:
            found |= set(space[name].when or {})
    return found


def moved(dimension: Dimension, value: Any, step: float, which: float) -> Any:
    """The value a step away in unit space.

    Args:
        dimension: Whose value it is.
        value: Where to start.
        step: Signed share of the distribution. Bounded dimensions end at their bounds; the tails
            of unbounded ones reflect. Values that can be listed change by at least one, away
            from an end if they are at it.
        which: In [0, 1): picks the other value where values have no order.
    """
    levels = dimension.levels
    if levels is not None and len(levels) == 1:
        return value
    if levels is not None and not dimension.is_ordered:
        others = [level for level in levels if not same(level, value)]
        return others[int(which * len(others))]
    unit = dimension.to_unit(value) + step
    if dimension.bounded:
        unit = min(max(unit, 0.0), 1.0)
    elif not 0 <= unit <= 1:
        unit = -unit if unit < 0 else 2 - unit
    candidate = dimension.from_unit(unit)
    if not same(candidate, value) or (levels is None and isinstance(candidate, float)):
        return candidate
    return _neighbour(dimension, value, up=step > 0)


def _neighbour(dimension: Dimension, value: Any, up: bool) -> Any:
    """The next value upwards or downwards; the other one at an end."""
    levels = dimension.levels
    if levels is None:  # too many integers to list
        one = getattr(dimension, "step", 1)
        near = [value + one, value - one] if up else [value - one, value + one]
        return next((other for other in near if dimension.contains(other)), value)
    place = next(i for i, level in enumerate(levels) if same(level, value))
    other = place + 1 if up else place - 1
    if not 0 <= other < len(levels):
        other = place - 1 if up else place + 1
    return levels[other]
