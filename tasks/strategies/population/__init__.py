"""Population based training (PBT): the worst members continue from copies of the best.

Source: Jaderberg et al., Population Based Training of Neural Networks (2017), arXiv:1711.09846.

Every member trains in segments of `interval` rounds. After a segment it is compared with the
others *at the same training step*: it continues as it is, or it copies the weights of a better
member (exploit) and perturbs its hyperparameters (explore).

Synchronous: a comparison waits until all members have ended the segment. Asynchronous: a member
continues at once, compared with the scores available at that step; with fewer than two it
continues unchanged. In both cases a failed member continues from one of the best at that step,
and waits while there is none. There is no deadlock: members wait only at the furthest step
reached, so the others reach it too, or, if all failed there, the search ends.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    field_validator,
    model_validator,
)

from nettuner.models.space import Number, Params, Space, Value
from nettuner.models.space.complete import completed
from nettuner.models.study import Count, Proposal, Study, Trial, best
from nettuner.tasks.strategies import Asks, Continues, Counts, Seed, configured
from nettuner.tasks.strategies.population import exploit, explore
from nettuner.tasks.strategies.population.exploit import Scores, Selection

USUAL_SIZE = 16
USUAL_GENERATIONS = 8
LARGEST_FACTOR = 10
# Third entry of the seed that draws a segment's parent, so that it differs from that of explore.
PARENT = 1

Done = Mapping[int, Trial]


class Population(BaseModel):
    """A population of networks whose hyperparameters change while they train.

    Trial number = generation * size + member. Each trial is one segment of training, continued
    from the trial named as its parent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    continues: ClassVar[Continues] = "others"
    counts: ClassVar[Counts] = "networks"
    at_end: ClassVar[str] = "the population was trained to its end"
    rule: ClassVar[None] = None

    members: StrictInt = Field(
        USUAL_SIZE,
        alias="size",
        description="Networks in the population, at least 2; left out: stop.trials, or 16. "
        "Below 10 a population is unstable, 20 to 40 are enough.",
    )
    interval: Count | None = Field(
        None,
        description="Rounds (epochs) that a member trains between two comparisons; left out: an "
        "eighth of the whole training.",
    )
    burn_in: Annotated[StrictInt, Field(ge=0)] = Field(
        0,
        description="Rounds (epochs) that a member trains before the first comparison, where the "
        "first scores say little; only failed members are replaced before.",
    )
    selection: Selection = Field(
        "truncation",
        description="Who copies whom. truncation: the worst `fraction` copies members of the best "
        "`fraction`. tournament: everybody meets one other member and copies it if it is better.",
    )
    fraction: Number = Field(
        0.2,
        description="Share of the population that is replaced, and share that is copied, at each "
        "comparison: above 0, at most 0.5. In a tournament: whom failed members copy.",
    )
    resample: Number = Field(
        0.25,
        description="Probability, 0 to 1, that a copied hyperparameter is drawn anew from its "
        "distribution instead of moved a little.",
    )
    perturb: Number = Field(
        1.25,
        description="Factor by which a copied hyperparameter is multiplied or divided, above 1, at "
        "most 10; what has no logarithmic scale steps alike. Whole numbers move by at least one, "
        "ordered choices to a neighbour, other choices to any other value.",
    )
    asynchronous: StrictBool = Field(
        False,
        description="Members go on without waiting for each other, compared with those that "
        "reached the same step before them: for members of unequal speed. Not reproducible, as it "
        "depends on who is faster.",
    )
    try_first: list[dict[str, Value]] = Field(
        default_factory=list,
        description="Configurations of the first members, such as the ones in use; the others are "
        "drawn. A hyperparameter that one leaves out has the middle of its distribution.",
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
    def _a_factor(cls, perturb: float) -> float:
        if not 1 < perturb <= LARGEST_FACTOR:
            raise ValueError(
                f"perturb must be in (1, {LARGEST_FACTOR}], got {perturb:g}; "
                "1.25 multiplies by 1.25 or by 0.8"
            )
        return perturb

    @model_validator(mode="after")
    def _leaves_something_to_compare(self) -> Self:
        if self.burn_in and self.burn_in >= self.rounds:
            raise ValueError(
                f"burn_in must be less than the whole training, got burn_in={self.burn_in} of "
                f"{self.rounds} rounds; lower it or train longer"
            )
        return self

    @classmethod
    def for_study(cls, study: Study, structural: Collection[str] = ()) -> Self:
        """With the study's seed and length; the default size is its number of trials.

        Raises:
            ValidationError: A setting is unknown or invalid.
            ValueError: The study has no length, or allows fewer trials than there are members.
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

    def fewest_rounds(self, networks: int, rounds: int) -> int:
        """All are trained in full."""
        return networks * rounds

    @property
    def asks(self) -> Asks:
        """Asynchronous: members go on as soon as a worker can train them."""
        return "stack" if self.asynchronous else "generation"

    @property
    def portion(self) -> int:
        """Rounds in one segment."""
        return self.interval or math.ceil(self.rounds / USUAL_GENERATIONS)

    @property
    def generations(self) -> int:
        """Number of segments of each member; the last one may be shorter."""
        return math.ceil(self.rounds / self.portion)

    def size(self, space: Space) -> int:
        """Number of segments of all members.

        Raises:
            ValueError: `try_first` has more configurations than there are members, or one that
                does not fit the space.
        """
        if len(self.try_first) > self.members:
            raise ValueError(
                f"try_first must have at most one configuration for each of the {self.members} "
                f"members, got {len(self.try_first)}; drop some or raise size"
            )
        for i in range(len(self.try_first)):
            self._start(space, i)
        return self.members * self.generations

    def propose(
        self, space: Space, history: Sequence[Trial], pending: Sequence[Proposal], count: int
    ) -> list[Proposal]:
        """The next segments, those of the earliest generation first.

        Synchronous: the missing segments of the first incomplete generation. Asynchronous: the
        first missing segment of each member, so that one member may be ahead of another. The list
        is empty after the last generation, when all segments are pending or wait for pending ones,
        and when all members failed at the same step.
        """
        done = {trial.number: trial for trial in history}
        running = {proposal.number for proposal in pending}
        found: list[Proposal] = []
        for number in self._missing(done):
            if len(found) == count:
                break
            if number not in running and (segment := self._segment(space, done, number)):
                found.append(segment)
        return found

    def needed(self, history: Sequence[Trial], pending: Sequence[Proposal]) -> set[int]:
        """Numbers of the trials whose weights a proposal may still continue from, now or later.

        Pending proposals count as not yet made, as they are made again if lost; asynchronously
        they may then be compared with more scores than the first time. The set holds the parents
        of all pending proposals; at steps that all members have reached, the sources of the
        members that have not reached the next one; at steps that some have reached, their own
        weights and those that the others may copy.

        Synchronous, these are at most `size`. Asynchronous, at most `2 * size + steps * c`, where
        `steps` counts those that some members have reached and others not, and c the members that
        may be copied: `max(1, fraction * size)`, in a tournament `size`. With the best trial's
        checkpoint and one being written by each member, a synchronous search keeps at most
        `2 * size + 1`.
        """
        done = {trial.number: trial for trial in history}
        found = {proposal.parent for proposal in pending if proposal.parent is not None}
        for first in range(0, self.members * (self.generations - 1), self.members):
            following = range(first + self.members, first + 2 * self.members)
            behind = {number - following.start for number in following if number not in done}
            if behind:
                members = self._sources(done, first // self.members, behind)
                found |= {first + member for member in members}
        return found

    def winner(self, space: Space, history: Sequence[Trial]) -> Trial | None:
        """The segment with the best score."""
        return best(history)

    def _sources(self, done: Done, generation: int, behind: Collection[int]) -> set[int]:
        """The members that those `behind` may continue from after a generation."""
        scores = self._scores(done, generation)
        if len(scores) == self.members:
            known = (self._source(scores, generation, member) for member in behind)
            return {member for member in known if member is not None}
        scored = [member for member in exploit.best_first(scores) if scores[member] is not None]
        # The elite may grow with scores still to come, but no member's rank improves.
        most = exploit.quota(self.fraction, self.members)
        copied = scored if self.selection == "tournament" else scored[:most]
        return {member for member in scored if member in behind} | set(copied)

    def _missing(self, done: Done) -> list[int]:
        """Numbers of the segments to propose next, if they can be compared, in order."""
        total = self.members * self.generations
        if self.asynchronous:
            each = (range(member, total, self.members) for member in range(self.members))
            firsts = (next((k for k in numbers if k not in done), None) for numbers in each)
            return sorted(number for number in firsts if number is not None)
        for first in range(0, total, self.members):
            if missing := [k for k in range(first, first + self.members) if k not in done]:
                return missing
        return []

    def _segment(self, space: Space, done: Done, number: int) -> Proposal | None:
        """Proposal for segment `number`, whose member has ended the one before; None: wait."""
        generation, member = divmod(number, self.members)
        until = min(self.rounds, (generation + 1) * self.portion)
        if generation == 0:
            return Proposal(number, self._start(space, number), None, member, until)
        source = self._source(self._scores(done, generation - 1), generation - 1, member)
        if source is None:
            return None
        parent = done[(generation - 1) * self.members + source]
        params = parent.proposal.params
        if source != member:
            params = explore.explored(
                space,
                params,
                explore.pinned(space, self.structural),
                self.perturb,
                self.resample,
                np.random.default_rng([self.seed, number]),
            )
        return Proposal(number, params, parent.number, member, until)

    def _start(self, space: Space, member: int) -> Params:
        if member < len(self.try_first):
            return completed(space, self.try_first[member], f"try_first[{member}]")
        return space.sample(np.random.default_rng([self.seed, member]))

    def _scores(self, done: Done, generation: int) -> dict[int, float | None]:
        """Scores of the members whose segment has ended; None for those that failed.

        The order starts one member later each generation. It breaks ties, so no member always
        wins where scores are often equal.
        """
        first = generation * self.members
        order = [(member + generation) % self.members for member in range(self.members)]
        trials = {m: done[first + m] for m in order if first + m in done}
        return {m: trial.score if trial.succeeded else None for m, trial in trials.items()}

    def _source(self, scores: Scores, generation: int, member: int) -> int | None:
        """The member that `member` continues from after a generation; None if it has to wait."""
        number = (generation + 1) * self.members + member
        draw = float(np.random.default_rng([self.seed, number, PARENT]).random())
        if (generation + 1) * self.portion >= self.burn_in:
            return exploit.source(self.selection, scores, member, self.fraction, draw)
        if scores[member] is not None:
            return member
        return exploit.refill(scores, self.fraction, draw)
