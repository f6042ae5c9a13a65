"""The strategies: one file each, found by its file name, pure functions of the history."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from typing import ClassVar, Protocol

from models.space import Space
from models.study import Proposal, Study, Trial


class Strategy(Protocol):
    """Proposes trials from the history alone: same arguments, same answer.

    A strategy is a frozen pydantic model whose fields are the settings a study may give beside
    the strategy's name. Randomness derives from (seed, trial number).
    """

    adaptive: ClassVar[bool]
    """Whether later proposals depend on earlier results."""

    def propose(
        self, space: Space, history: Sequence[Trial], pending: Sequence[Proposal], count: int
    ) -> list[Proposal]:
        """At most `count` new trials, numbered with the smallest free numbers.

        An empty list means finished; while trials are pending it may also mean wait.
        The order of `history` and `pending` makes no difference.
        """
        ...


def names() -> list[str]:
    """The strategies found: the files beside this one."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def find(name: str) -> type[Strategy]:
    """The class of the strategy in file `name`.py; `random` is short for `random_search`.

    Raises:
        ValueError: there is no such file.
    """
    for known in (name, f"{name}_search"):
        if known in names():
            module = importlib.import_module(f"tasks.strategies.{known}")
            wanted = known.replace("_", "")
            cls: type[Strategy] = next(
                value for key, value in vars(module).items() if key.lower() == wanted
            )
            return cls
    raise ValueError(f"no strategy named {name!r}; tasks/strategies has: {', '.join(names())}")
