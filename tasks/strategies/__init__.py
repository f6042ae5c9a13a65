"""The strategies: one file each, found by its file name, pure functions of the history."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Any, ClassVar, Literal, Protocol, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StrictInt, ValidationError
from pydantic_core import InitErrorDetails

from nettuner.models.class_of import class_of
from nettuner.models.early_stop import EarlyStop, Rule
from nettuner.models.space import Space, Value
from nettuner.models.space.complete import completed
from nettuner.models.study import Count, Proposal, Study, Trial, best
from nettuner.tasks.strategy_names import names as names

Model = TypeVar("Model", bound=BaseModel)
Continues = Literal["nothing", "itself", "others"]
"""What a trial may go on from: nothing, as each is a whole training; the same configuration, where
it stopped; or any other's weights, too, with other hyperparameters."""

Asks = Literal["ahead", "generation", "stack", "single"]
"""When a strategy wants to be asked, and for how much: at any time for many trials, as results
change nothing; when nothing is in flight, for a generation; when a worker is free, for as many
trials as it trains together; when a worker is free, for one trial."""

Counts = Literal["trials", "networks"]
"""What a study's budget of trials counts: proposals, or networks, each of which may be trained in
several."""
Seed = Annotated[
    StrictInt, Field(ge=0, description="The study's own seed; a study gives it at its top.")
]


class Strategy(Protocol):
    """Proposes trials as a pure function of the history: same arguments, same proposals.

    A strategy is a frozen pydantic model. Its fields are the settings that a study may give beside
    the strategy's name, and those that `for_study` fills in. Random numbers depend on (seed, trial
    number) only.
    """

    continues: ClassVar[Continues]
    counts: ClassVar[Counts]
    at_end: ClassVar[str]
    """What has come about once it proposes nothing more, as a sentence for people."""

    @property
    def asks(self) -> Asks:
        """When it wants to be asked."""
        ...

    @property
    def rule(self) -> Rule | None:
        """The rule that may end trials in flight; None for none."""
        ...

    def fewest_rounds(self, networks: int, rounds: int) -> int:
        """The fewest rounds that so many networks train in all, none of which fails.

        Args:
            networks: Number of networks.
            rounds: Rounds of a whole training.
        """
        ...

    @classmethod
    def for_study(cls, study: Study, structural: Collection[str] = ()) -> Self:
        """The strategy with a study's seed and settings.

        Args:
            study: Study that names the strategy.
            structural: Names of the hyperparameters that fix tensor shapes or code paths; one that
                continues from trained weights must not change these.

        Raises:
            ValidationError: A setting is unknown or invalid.
            ValueError: Settings and study do not fit together.
        """
        ...

    def size(self, space: Space) -> int | None:
        """Number of trials it proposes in all; None if unlimited or unknown.

        Raises:
            ValueError: The settings do not fit this space.
        """
        ...

    def propose(
        self, space: Space, history: Sequence[Trial], pending: Sequence[Proposal], count: int
    ) -> list[Proposal]:
        """At most `count` new trials, with the smallest free trial numbers.

        (An asynchronous population numbers its segments differently.) An empty list means finished,
        or, while trials are pending, wait. The order of `history` and `pending` does not matter.

        Args:
            space: Search space.
            history: Trials that have ended.
            pending: Proposals in flight.
            count: Maximum number of proposals.
        """
        ...

    def needed(self, history: Sequence[Trial], pending: Sequence[Proposal]) -> set[int]:
        """Numbers of the trials whose checkpoints a proposal, now or later, may continue from.

        And of those that, beside the one with the best score, may be the winner.

        All other checkpoints can be deleted: once a trial that has ended is not in this set, it
        never will be again.
        """
        ...

    def winner(self, space: Space, history: Sequence[Trial]) -> Trial | None:
        """The trial that a search answers with; None if none succeeded.

        It is the one with the best score, or one of those `needed`: others have no weights.

        Args:
            space: Search space.
            history: Trials that have ended; their order does not matter.
        """
        ...


class WholeTrials(BaseModel):
    """What strategies have in common whose trials are whole trainings, unless these end early."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    continues: ClassVar[Continues] = "nothing"
    counts: ClassVar[Counts] = "trials"
    at_end: ClassVar[str] = "every configuration of the space was tried"

    early_stop: EarlyStop | None = Field(
        None,
        description="When a trial ends before its training does. median: its best metric so far is "
        "worse than the median of the others' at the same round. patience: it has not got better "
        "for 5 rounds. Left out: never.",
    )
    seed: Seed

    @property
    def rule(self) -> Rule | None:
        """The rule that may end trials in flight; None for none."""
        return self.early_stop

    def fewest_rounds(self, networks: int, rounds: int) -> int:
        """The fewest rounds that so many networks train in all: each until it may first end."""
        return networks * (rounds if self.rule is None else min(rounds, self.rule.earliest))

    def needed(self, history: Sequence[Trial], pending: Sequence[Proposal]) -> set[int]:
        """None: every trial starts anew."""
        return set()

    def winner(self, space: Space, history: Sequence[Trial]) -> Trial | None:
        """The trial with the best score."""
        return best(history)


class OwnSegments(BaseModel):
    """What strategies have in common that go on with a configuration from where it stopped."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    continues: ClassVar[Continues] = "itself"
    counts: ClassVar[Counts] = "networks"
    at_end: ClassVar[str] = "all that were worth it were trained to their end"

    try_first: list[dict[str, Value]] = Field(
        default_factory=list,
        description="Configurations to begin with, such as the ones in use. A hyperparameter that "
        "one leaves out has the middle of its distribution.",
    )
    budget: Count | None = Field(None, description="The study's stop.trials.")
    rounds: Annotated[StrictInt, Field(ge=0)] = Field(
        description="Rounds (epochs) of a whole training, from the study."
    )
    seed: Seed

    @classmethod
    def for_study(cls, study: Study, structural: Collection[str] = ()) -> Self:
        """With the study's seed and length, and its number of trials as the budget.

        Raises:
            ValidationError: A setting is unknown or invalid, or does not fit the study's length.
        """
        return configured(
            cls, study, seed=study.seed, budget=study.stop.trials, rounds=study.rounds
        )

    def size(self, space: Space) -> int | None:
        """None: how many segments there will be depends on the results.

        Raises:
            ValueError: A configuration of `try_first` does not fit the space.
        """
        for member in range(len(self.try_first)):
            self.configuration(space, member)
        return None

    def winner(self, space: Space, history: Sequence[Trial]) -> Trial | None:
        """The segment with the best score."""
        return best(history)

    def configuration(self, space: Space, member: int) -> dict[str, Any]:
        """The configuration of a member: one of `try_first`, or one drawn at random.

        Raises:
            ValueError: A configuration of `try_first` does not fit the space.
        """
        import numpy as np  # commands that only read records import this file, too

        if member < len(self.try_first):
            return completed(space, self.try_first[member], f"try_first[{member}]")
        return space.sample(np.random.default_rng([self.seed, member]))


def full_name(name: str) -> str:
    """The file name of a strategy, which may be given shortly.

    Raises:
        ValueError: There is no such file.
    """
    for known in (name, f"{name}_search"):
        if known in names():
            return known
    raise ValueError(f"no strategy named {name!r}; tasks/strategies has: {', '.join(names())}")


def find(name: str) -> type[Strategy]:
    """The class of the strategy in the file of this name.

    Raises:
        ValueError: There is no such file, or no class in it that is named after it.
    """
    cls: type[Strategy] = class_of(f"nettuner.tasks.strategies.{full_name(name)}")
    return cls


def load(study: Study, structural: Collection[str] = ()) -> Strategy:
    """The strategy that a study names, with its settings.

    Raises:
        ValidationError: A setting is unknown or invalid.
        ValueError: There is no such strategy, or settings and study do not fit together.
    """
    return find(study.strategy.name).for_study(study, structural)


def configured(cls: type[Model], study: Study, **filled: object) -> Model:
    """A strategy with the settings of a study, and with fields that the study fills in itself.

    Raises:
        ValidationError: A setting is unknown, invalid, or one that is filled in.
    """
    given = study.strategy.settings
    taken = [
        InitErrorDetails(type="extra_forbidden", loc=(name,), input=given[name])
        for name in given
        if name in filled
    ]
    if taken:
        raise ValidationError.from_exception_data(cls.__name__, taken)
    return cls.model_validate({**given, **filled})
