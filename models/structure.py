"""Which trials may be trained as one stack: what their members must have in common."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any


def structure(
    structural: Collection[str], params: Mapping[str, Any]
) -> tuple[tuple[str, Any], ...]:
    """What the members of a stack must agree in: structural or non-numeric hyperparameters.

    Args:
        structural: Names of the hyperparameters that fix tensor shapes or code paths.
        params: Hyperparameters of a member.
    """
    return tuple(
        (name, value)
        for name, value in sorted(params.items())
        if name in structural or not is_number(value)
    )


def is_number(value: object) -> bool:
    """Whether members of a stack may differ in this value."""
    return isinstance(value, int | float) and not isinstance(value, bool)
