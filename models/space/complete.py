"""Configurations given by a person, checked and completed."""

from __future__ import annotations

from typing import Any

from nettuner.models.space import Params, Space


def completed(space: Space, given: Params, where: str) -> dict[str, Any]:
    """A configuration with the values given, and the middle of each other distribution.

    Args:
        space: Search space of the configuration.
        given: Values of some or all hyperparameters.
        where: Name of the configuration in error messages.

    Raises:
        ValueError: A name is not in the space, or a value or a condition is violated.
    """
    for name, value in given.items():
        if name not in space:
            raise ValueError(
                f"{where}: must name dimensions of the space, got {name!r}; "
                f"it has: {', '.join(space.names())}"
            )
        if not space[name].contains(value):
            raise ValueError(
                f"{where}: {name} must be one of its values, {space[name].support()}, "
                f"got {value!r}; correct it or drop it"
            )
    found: dict[str, Any] = {}
    for name in space.order:
        if space.is_active(name, found):
            found[name] = given[name] if name in given else space[name].from_unit(0.5)
        elif name in given:
            raise ValueError(
                f"{where}: {name} exists only when {space[name].when}, got it beside "
                f"{ {parent: found.get(parent) for parent in space[name].when or {}} }; drop it"
            )
    return {name: found[name] for name in space.names() if name in found}
