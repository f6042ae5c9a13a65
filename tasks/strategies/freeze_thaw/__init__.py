"""Freeze-thaw: whichever configuration promises most is started, or continued a little further.

After every segment a Gaussian process over configurations and the logarithm of the round says what
each curve is expected to come to; the next segment is the one with the largest expected improvement
by round that it is expected to cost. So a poor start is left at once and a good one is trained in
full, and one that was left is taken up again when it has come to look good beside the others.

Sources: Swersky, Snoek & Adams, Freeze-Thaw Bayesian Optimization (2014), arXiv:1406.3896;
Rakotoarison et al. (2024), arXiv:2404.16795, for one choice among starting and continuing. The
kernel is in `likelihood.py`, the acquisition function in `acquisition.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from nettuner.models.space import Params, Space
from nettuner.models.study import Count, Proposal, Trial, free_numbers
from nettuner.tasks.strategies import Asks, OwnSegments
from nettuner.tasks.strategies.freeze_thaw.rungs import rungs

if TYPE_CHECKING:
    from nettuner.tasks.strategies.freeze_thaw.next_segment import Choice

# Configurations that are drawn before the model decides: at most so many, and at least so many.
MOST_DRAWN, LEAST_DRAWN = 8, 4


class FreezeThaw(OwnSegments):
    """Segments of trainings, each chosen by what all curves so far let expect."""

    asks: ClassVar[Asks] = "single"
    rule: ClassVar[None] = None

    shortest: Count = Field(
        1,
        description="Rounds (epochs) of a first segment at least. More where the first rounds say "
        "nothing yet, or where to stop and go on is slow.",
    )
    per: Literal["round", "second"] = Field(
        "round",
        description="What an improvement costs. round: every round costs the same, so the search "
        "is the same however busy the machine is. second: time, as measured so far; for a space "
        "in which some networks are many times slower than others.",
    )
    initial: Count | None = Field(
        None,
        description="Configurations that are drawn before the model decides; left out: a fifth of "
        "stop.trials, at least 4 and at most 8.",
    )

    @model_validator(mode="after")
    def _can_be_continued(self) -> Self:
        if not self.rounds:
            raise ValueError(
                "freeze_thaw continues trainings, got a function without a context, which always "
                "starts anew; name its second argument `context`, or take bayesian with early_stop"
            )
        if self.shortest > self.rounds:
            raise ValueError(
                f"shortest must be at most the whole training, got {self.shortest} of "
                f"{self.rounds} rounds; lower it or train longer"
            )
        return self

    @property
    def rungs(self) -> list[int]:
        """The last round of each possible segment, ascending."""
        return rungs(self.rounds, self.shortest)

    @property
    def drawn(self) -> int:
        """Configurations that are drawn before the model decides."""
        usual = MOST_DRAWN if self.budget is None else self.budget // 5
        usual = self.initial or min(max(usual, LEAST_DRAWN), MOST_DRAWN)
        return max(usual, len(self.try_first))

    def fewest_rounds(self, networks: int, rounds: int) -> int:
        """A first segment of each, and one training in full."""
        return (networks - 1) * self.rungs[0] + rounds if networks else 0

    def propose(
        self, space: Space, history: Sequence[Trial], pending: Sequence[Proposal], count: int
    ) -> list[Proposal]:
        """The next segments; several are chosen in turn, each as if those before it were pending.

        An empty list means wait for what is pending, or that nothing is left to train.

        Raises:
            ValueError: A configuration of `try_first` does not fit the space.
        """
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, user_api="blas"):  # more make small matrices slower
            return list(self._chosen(space, history, pending, count))

    def needed(self, history: Sequence[Trial], pending: Sequence[Proposal]) -> set[int]:
        """The last segments of all that may still be continued, and parents of pending ones."""
        from nettuner.tasks.strategies.freeze_thaw.started import Started

        started = Started(history, (), self.rounds)  # what is lost in flight is asked for again
        parents = {proposal.parent for proposal in pending if proposal.parent is not None}
        return {segment.last.number for segment in started.open()} | parents

    def _chosen(
        self, space: Space, history: Sequence[Trial], pending: Sequence[Proposal], count: int
    ) -> Iterator[Proposal]:
        from nettuner.tasks.strategies.freeze_thaw.next_segment import Choice

        numbers = free_numbers(history, pending, count)
        choice = Choice(self, space, history, pending)
        for number in numbers:
            segment = self._next(space, choice, number)
            if segment is None:
                return
            choice.add(segment)
            yield segment

    def _next(self, space: Space, choice: Choice, number: int) -> Proposal | None:
        """What is drawn at the beginning, then what is worth most; None if nothing is left."""
        member = self._free_member(choice)
        may_start = self.budget is None or member < self.budget
        if may_start and member < self.drawn:
            return self._start(number, member, self.configuration(space, member))
        found = choice.best(number, may_start)
        if isinstance(found, Proposal):
            return found
        if may_start and found is not None:
            return self._start(number, member, found)
        return None

    def _free_member(self, choice: Choice) -> int:
        taken = choice.taken
        return next(member for member in range(len(taken) + 1) if member not in taken)

    def _start(self, number: int, member: int, params: Params) -> Proposal:
        return Proposal(number, params, None, member, self.rungs[0])
