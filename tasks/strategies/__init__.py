"""The strategies: one file each, found by its file name, pure functions of the history."""

from __future__ import annotations

import pkgutil
from collections.abc import Collection, Sequence
from typing import Annotated, ClassVar, Protocol, Self, TypeVar

from pydantic import BaseModel, Field, StrictInt, ValidationError
from pydantic_core import InitErrorDetails

from nettuner.models.class_of import class_of
from nettuner.models.space import Space
from nettuner.models.study import Proposal, Study, Trial

Model = TypeVar("Model", bound=BaseModel)
Seed = Annotated[
    StrictInt, Field(ge=0, description="The study's own seed; a study gives it at its top.")
]


class Strategy(Protocol):
    """Proposes trials from the history alone: same arguments, same answer.

    A strategy is a frozen pydantic model whose fields are the settings a study may give beside
    the strategy's name, and what `for_study` fills in. Randomness derives from (seed, trial
    number).
    """

    adaptive: ClassVar[bool]
    """Whether later proposals depend on earlier results."""

    counts_members: ClassVar[bool]
    """Whether a study's budget of trials counts the members of a population."""

    @property
    def one_by_one(self) -> bool:
        """Whether proposals get better by asking as late as possible, for as few as possible."""
        ...

    @classmethod
    def for_study(cls, study: Study, structural: Collection[str] = ()) -> Self:
        """The strategy with a study's seed and settings.

        Args:
            study: Study that names the strategy.
            structural: Hyperparameters that fix tensor shapes or code paths; a strategy that
                continues from trained weights leaves these alone.

        Raises:
            ValidationError: a setting is unknown or has an impossible value.
            ValueError: settings and study do not fit together.
        """
        ...

    def size(self, space: Space) -> int | None:
        """How many trials it proposes in all; None if it never ends or cannot tell.

        Raises:
            ValueError: the settings do not fit this space.
        """
        ...

    def propose(
        self, space: Space, history: Sequence[Trial], pending: Sequence[Proposal], count: int
    ) -> list[Proposal]:
        """At most `count` new trials, numbered with the smallest free numbers.

        (The members of an asynchronous population have numbers of their own.) An empty list means
        finished; while trials are pending it may also mean wait. The order of `history` and
        `pending` makes no difference.

        Args:
            space: The space to search.
            history: The trials that have ended.
            pending: All that was asked for and has not ended.
            count: Number of proposals wanted.
        """
        ...

    def needed(self, history: Sequence[Trial], pending: Sequence[Proposal]) -> set[int]:
        """Numbers of the trials whose weights a proposal, now or later, may continue from.

        The checkpoints of all others serve no further training, and once a trial that has ended
        is not in here, it never will be.
        """
        ...


def names() -> list[str]:
    """The strategies found: the files beside this one."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def full_name(name: str) -> str:
    """The file a strategy lives in; `random` is short for `random_search`.

    Raises:
        ValueError: there is no such file.
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
        ValidationError: a setting is unknown or has an impossible value.
        ValueError: there is no such strategy, or settings and study do not fit together.
    """
    return find(study.strategy.name).for_study(study, structural)


def configured(cls: type[Model], study: Study, **filled: object) -> Model:
    """A strategy from the settings of a study, and from what only the study itself decides.

    Raises:
        ValidationError: a setting is unknown, impossible, or one that is filled in.
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
