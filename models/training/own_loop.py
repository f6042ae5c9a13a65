"""Which of what a study may name trains by a loop of its own, and as which function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nettuner.models.lightning_class import lightning_package
from nettuner.models.training.context import Context, takes_context
from nettuner.models.training.lightning import as_loop

Loop = Callable[[Mapping[str, Any], Context], Any]


def own_loop(found: Any) -> Loop | None:
    """The function with a context that trains what a study names.

    Args:
        found: Learner, function or class, as `learners.find` gives it.

    Returns:
        None for learners, and for functions without a context.
    """
    if lightning_package(found):
        return as_loop(found)
    return found if takes_context(found) else None
