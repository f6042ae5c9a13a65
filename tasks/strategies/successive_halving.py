"""Successive halving: all train a little, the best part of them more, the best of these in full.

Sources: Jamieson & Talwalkar, Non-stochastic Best Arm Identification (2016), arXiv:1502.07943;
asynchronous promotion: Li et al., A System for Massively Parallel Hyperparameter Tuning (2020),
arXiv:1810.05934 (ASHA); several brackets: Li et al., Hyperband (2018), arXiv:1603.06560.

A configuration trains in segments, each of which ends at a *rung*: after `shortest` rounds, `eta`
times as many, and so on up to the whole training. At a rung it is compared with all that reached it
so far, and goes on as soon as it is among the best of `eta`; nobody waits for anybody, and one that
did not go on may do so later, when more have turned out worse. So stopping is not being asked to go
on, and nothing is lost.

A function without a context cannot be continued. There, every trial begins as a whole training that
reports as it goes, and is ended at a rung where it is not among the best part of those that have
reached it so far; a rung is a step that the function reports.

Two things are not in the papers. Where a study limits the trials, the last rungs may have fewer
than `eta` configurations; the best one then goes on all the same until one is trained in full. And
a rung that is nearly at the end of the training is left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import chain, count, islice
from typing import ClassVar, Self

from pydantic import Field, StrictInt, field_validator, model_validator

from nettuner.models.early_stop import Rule, Rungs
from nettuner.models.segments import member_of, until_of
from nettuner.models.space import Space
from nettuner.models.study import Count, Proposal, Trial, free_numbers
from nettuner.tasks.strategies import Asks, OwnSegments

# Usual number of rungs before the end.
USUAL_RUNGS = 3


class SuccessiveHalving(OwnSegments):
    """Many configurations begin, and the best part of those at each rung goes on."""

    asks: ClassVar[Asks] = "stack"

    eta: StrictInt = Field(
        3,
        description="One of so many goes on at each rung, and trains so many times as long, at "
        "least 2.",
    )
    shortest: Count | None = Field(
        None,
        description="Rounds (epochs) that every configuration trains before the first comparison; "
        "left out: so many that there are three comparisons; of a function, its first step.",
    )
    brackets: Count = Field(
        1,
        description="Ways to begin: some configurations train as far as the second rung, the third "
        "... before they are first compared (Hyperband). For scores that say little at first.",
    )

    @field_validator("eta")
    @classmethod
    def _two_or_more(cls, eta: int) -> int:
        if eta < 2:
            raise ValueError(f"eta must be at least 2, got {eta}; 3 lets the best third go on")
        return eta

    @model_validator(mode="after")
    def _has_rungs(self) -> Self:
        if not self.rounds:
            if self.brackets > 1:
                raise ValueError(
                    f"brackets are of trainings whose length is known, got {self.brackets} and a "
                    "function without a context; drop them, or name its second argument `context`"
                )
            return self
        if self.first_rung >= self.rounds:
            raise ValueError(
                f"shortest must be less than the whole training, got {self.first_rung} of "
                f"{self.rounds} rounds; lower it or train longer"
            )
        if self.brackets > len(self.rungs):
            raise ValueError(
                f"brackets must be at most the number of rungs, {len(self.rungs)} "
                f"(after {', '.join(map(str, self.rungs))} rounds), got {self.brackets}; lower it"
            )
        return self

    @property
    def rule(self) -> Rule | None:
        """The rule that ends trials of a function that cannot be continued; None for all others."""
        return None if self.rounds else Rungs(self.first_rung, self.eta)

    @property
    def first_rung(self) -> int:
        """Rounds that every configuration trains at first; of a function, its first step."""
        return self.shortest or max(1, round(self.rounds / self.eta**USUAL_RUNGS))

    @property
    def rungs(self) -> tuple[int, ...]:
        """Rounds after which configurations are compared; the last ones are a whole training."""
        found = [self.first_rung]
        while (rung := found[-1] * self.eta) <= self.rounds / math.sqrt(self.eta):
            found.append(rung)
        return (*found, self.rounds)

    def fewest_rounds(self, networks: int, rounds: int) -> int:
        """The fewest rounds that so many train in all: at each rung one of `eta` goes on."""
        if not self.rounds:
            return 0
        starts = self.brackets_of(networks)
        total, furthest = 0, 0
        for bracket in range(self.brackets):
            going, before = starts.count(bracket), 0
            for rung in self.rungs[bracket:]:
                total += going * (rung - before)
                furthest = max(furthest, rung) if going else furthest
                going, before = going // self.eta, rung
        return total + (self.rounds - furthest if networks else 0)  # one is trained in full

    def propose(
        self, space: Space, history: Sequence[Trial], pending: Sequence[Proposal], count: int
    ) -> list[Proposal]:
        """The next segments: of those that go on, the furthest first; then new configurations.

        An empty list means wait for what is pending, or that all of the budget has been trained.
        """
        free = free_numbers(history, pending, count)
        if not self.rounds:
            fresh = (k for k in free if self.budget is None or k < self.budget)
            return [Proposal(k, self.configuration(space, k)) for k in fresh]
        begun = _Begun(self, history, pending)
        steps = islice(self._steps(space, begun), count)
        return [
            Proposal(number, step.params, step.parent, step.member, step.until)
            for number, step in zip(free, steps, strict=False)
        ]

    def needed(self, history: Sequence[Trial], pending: Sequence[Proposal]) -> set[int]:
        """The last segments of all that may still go on, and parents of pending proposals.

        Before one is trained in full these are all that succeeded. After that, if the budget is
        known, those whose rank, which never gets better, is within what may go on at most.
        """
        if not self.rounds:
            return set()
        begun = _Begun(self, history, ())  # what is pending is proposed again if it is lost
        found = {proposal.parent for proposal in pending if proposal.parent is not None}
        for (bracket, rung), reached in begun.at.items():
            waiting = ranked(reached)
            if self.budget is not None and begun.has_whole:
                waiting = waiting[: self.brackets_of(self.budget).count(bracket) // self.eta]
            if rung != self.rounds:
                found |= {trial.number for trial in waiting if begun.may_go_on(trial)}
        return found

    def brackets_of(self, total: int) -> list[int]:
        """The bracket of each of the first `total` configurations.

        They are dealt so that all brackets train about as many rounds: one with s halvings has a
        share of eta ** s / (s + 1).
        """
        halvings = [len(self.rungs) - 1 - bracket for bracket in range(self.brackets)]
        shares = [self.eta**s / (s + 1) for s in halvings]
        dealt = [0] * self.brackets
        found: list[int] = []
        for k in range(total):
            missing = [(k + 1) * s / sum(shares) - d for s, d in zip(shares, dealt, strict=True)]
            bracket = missing.index(max(missing))
            dealt[bracket] += 1
            found.append(bracket)
        return found

    def _steps(self, space: Space, begun: _Begun) -> Iterator[Proposal]:
        """The segments that may be trained now, without numbers of their own."""
        is_over = True
        for step in chain(begun.promoted(), self._fresh(space, begun)):
            is_over = False
            yield step
        if is_over and not begun.running and not begun.has_whole:
            yield from islice(begun.furthest(), 1)

    def _fresh(self, space: Space, begun: _Begun) -> Iterator[Proposal]:
        """The first segments of configurations that have not begun, within the budget."""
        starts: list[int] = []
        for member in count() if self.budget is None else range(self.budget):
            if member in begun.members:
                continue
            if member >= len(starts):
                starts = self.brackets_of(2 * member + 1)
            yield Proposal(
                -1, self.configuration(space, member), None, member, self.rungs[starts[member]]
            )


class _Begun:
    """The configurations that have begun, by the rungs that they have reached.

    Args:
        strategy: Strategy that they belong to.
        history: Segments that have ended.
        pending: Segments in flight.
    """

    def __init__(
        self, strategy: SuccessiveHalving, history: Sequence[Trial], pending: Sequence[Proposal]
    ) -> None:
        self._strategy = strategy
        self._asked = [trial.proposal for trial in history] + list(pending)
        self.running = {member_of(proposal) for proposal in pending}
        self.members = {member_of(proposal) for proposal in self._asked}
        starts = strategy.brackets_of(max(self.members, default=-1) + 1)
        self.at: dict[tuple[int, int], list[Trial]] = {}
        """Segments that ended at each rung, by bracket and round."""
        for trial in history:
            key = starts[member_of(trial.proposal)], until_of(trial.proposal)
            self.at.setdefault(key, []).append(trial)
        self._furthest: dict[int, int] = {}
        for proposal in self._asked:
            member, until = member_of(proposal), until_of(proposal)
            self._furthest[member] = max(until, self._furthest.get(member, 0))

    @property
    def has_whole(self) -> bool:
        """Whether one was trained in full."""
        return any(
            trial.succeeded
            for (_, rung), reached in self.at.items()
            if rung == self._strategy.rounds
            for trial in reached
        )

    def may_go_on(self, trial: Trial) -> bool:
        """Whether a segment succeeded, and its configuration neither goes on nor went on."""
        member, until = member_of(trial.proposal), until_of(trial.proposal)
        is_last = self._furthest[member] == until and member not in self.running
        return trial.succeeded and is_last and until < self._strategy.rounds

    def promoted(self) -> Iterator[Proposal]:
        """The next segments of the best part at each rung, the furthest first."""
        for _, _, reached in self._furthest_first():
            best = ranked(reached)[: len(reached) // self._strategy.eta]
            yield from (self._next(trial) for trial in best if self.may_go_on(trial))

    def furthest(self) -> Iterator[Proposal]:
        """The next segments of all that may go on, the best of those at the furthest rung first."""
        waiting = [t for _, _, reached in self._furthest_first() for t in reached]
        ordered = sorted(ranked(waiting), key=lambda trial: -until_of(trial.proposal))
        yield from (self._next(trial) for trial in ordered if self.may_go_on(trial))

    def _furthest_first(self) -> list[tuple[int, int, list[Trial]]]:
        keyed = [(-rung, bracket, reached) for (bracket, rung), reached in self.at.items()]
        return sorted(keyed, key=lambda of: of[:2])

    def _next(self, trial: Trial) -> Proposal:
        member, until = member_of(trial.proposal), until_of(trial.proposal)
        further = next(rung for rung in self._strategy.rungs if rung > until)
        return Proposal(-1, trial.proposal.params, trial.number, member, further)


def ranked(trials: Sequence[Trial]) -> list[Trial]:
    """Trials at one rung, the best first and failed ones last; of equals the one begun earlier."""
    return sorted(
        trials,
        key=lambda t: (not t.succeeded, t.score if t.succeeded else 0.0, member_of(t.proposal)),
    )
