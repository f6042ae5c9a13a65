"""Rules that end a trial in flight, by its curve and those of the others.

A rule is asked after each round that a trial reports. What it says is the reason for an early end,
which is no failure: the trial keeps its score.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt

from nettuner.models.curve import Point

Count = Annotated[StrictInt, Field(ge=1)]
Curves = Mapping[int, Sequence[Point]]
"""Curves by number of the trial."""


class Rule(Protocol):
    """Says when a trial ends early."""

    @property
    def earliest(self) -> int:
        """The first round after which it may end one."""
        ...

    def reason(self, own: Sequence[Point], others: Curves) -> str | None:
        """Why a trial ends after its latest round; None if it goes on.

        Args:
            own: Curve of the trial so far, with at least one point.
            others: Curves of the other trials, in flight or ended.
        """
        ...


class Median(BaseModel):
    """Ends a trial whose best score so far is worse than the median of the others'.

    The others are those that have got as far, each with its best score until then.

    Source: Golovin et al., Google Vizier (2017), doi:10.1145/3097983.3098043, section 3.2.2, with
    best scores in place of averages.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: Literal["median"] = "median"
    after: Count = Field(
        1, description="Rounds (epochs, or steps that a function reports) that every trial trains."
    )
    trials: Count = Field(
        4, description="Trials that must have got as far before one is ended there."
    )

    @property
    def earliest(self) -> int:
        """The first round after which it may end one."""
        return self.after

    def reason(self, own: Sequence[Point], others: Curves) -> str | None:
        """Why a trial ends after its latest round; None if it goes on."""
        now = own[-1].round
        if now < self.after:
            return None
        as_far = [curve for curve in others.values() if curve and curve[-1].round >= now]
        if len(as_far) < self.trials:
            return None
        median = statistics.median(_best(curve, now) for curve in as_far)
        if _best(own, now) <= median:
            return None
        return f"at {now} worse than the median of {len(as_far)} others"


class Patience(BaseModel):
    """Ends a trial whose score has not got better for so many rounds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: Literal["patience"] = "patience"
    rounds: Count = Field(
        5,
        description="Rounds (epochs, or steps that a function reports) in a row without a better "
        "score.",
    )

    @property
    def earliest(self) -> int:
        """The first round after which it may end one."""
        return self.rounds + 1

    def reason(self, own: Sequence[Point], others: Curves) -> str | None:
        """Why a trial ends after its latest round; None if it goes on."""
        best = min(own, key=lambda point: point.score)  # of equals the first
        if own[-1].round - best.round < self.rounds:
            return None
        return f"at {own[-1].round} no better than at {best.round}"


@dataclass(frozen=True)
class Rungs:
    """Ends a trial that is not among the best part of those that have reached a rung.

    Rungs are `first`, `first * eta`, `first * eta ** 2` ... The score at a rung is that of the
    first report there or later. The first trial at a rung goes on, then the best of two up to
    2 * eta - 1 trials, then the best two, and so on.

    Source: asynchronous successive halving of trainings that cannot be paused: the stopping variant
    of Li et al. (2020), arXiv:1810.05934, as in Syne Tune and Ray Tune.
    """

    first: int
    eta: int

    @property
    def earliest(self) -> int:
        """The first round after which it may end one."""
        return self.first

    def reason(self, own: Sequence[Point], others: Curves) -> str | None:
        """Why a trial ends after its latest round; None if it goes on."""
        rung = self._rung(own[-1].round)
        if rung is None or (len(own) > 1 and own[-2].round >= rung):
            return None  # there was a decision at this rung before
        scores = [score for curve in others.values() if (score := _first(curve, rung)) is not None]
        better = sum(score < own[-1].score for score in scores)
        if better < max(1, (len(scores) + 1) // self.eta):
            return None
        return f"at {rung} {better} of {len(scores)} others were better"

    def _rung(self, round_: int) -> int | None:
        """The furthest rung that a round has reached."""
        if round_ < self.first:
            return None
        rung = self.first
        while rung * self.eta <= round_:
            rung *= self.eta
        return rung


def _best(curve: Sequence[Point], until: int) -> float:
    return min((point.score for point in curve if point.round <= until), default=float("inf"))


def _first(curve: Sequence[Point], rung: int) -> float | None:
    return next((point.score for point in curve if point.round >= rung), None)


def _named(given: object) -> object:
    return {"rule": given} if isinstance(given, str) else given


EarlyStop = Annotated[
    Annotated[Median | Patience, Field(discriminator="rule")],
    BeforeValidator(
        _named, json_schema_input_type=Median | Patience | Literal["median", "patience"]
    ),
]
"""A rule as a study names it: `median`, `patience`, or a mapping with its settings."""
