"""What a network takes: one tensor, several in their order, or several by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Inputs = Any
"""A tensor (an array), or a tuple or a mapping of them; rows are the first axis of each."""


def each(function: Callable[[Any], Any], inputs: Inputs) -> Inputs:
    """What a function answers for each tensor, in the same places."""
    if isinstance(inputs, Mapping):
        return {name: each(function, part) for name, part in inputs.items()}
    if isinstance(inputs, tuple):
        return tuple(each(function, part) for part in inputs)
    return function(inputs)


def parts(inputs: Inputs) -> list[Any]:
    """All tensors of the inputs."""
    if isinstance(inputs, Mapping):
        return [part for value in inputs.values() for part in parts(value)]
    if isinstance(inputs, tuple):
        return [part for value in inputs for part in parts(value)]
    return [inputs]


def taken(inputs: Inputs, rows: Any) -> Inputs:
    """The inputs of these rows."""
    return each(lambda part: part[rows], inputs)


def shapes(inputs: Inputs) -> tuple[tuple[int, ...], ...]:
    """The shapes of all tensors."""
    return tuple(tuple(part.shape) for part in parts(inputs))


def called(network: Callable[..., Any], inputs: Inputs, **more: Any) -> Any:
    """The outputs of a network: `network(inputs)`, `network(*inputs)` or `network(**inputs)`."""
    if isinstance(inputs, Mapping):
        return network(**inputs, **more)
    if isinstance(inputs, tuple):
        return network(*inputs, **more)
    return network(inputs, **more)


def portions(inputs: Inputs, rows: int) -> list[Inputs]:
    """The inputs in portions of so many rows; the last may be smaller."""
    if not isinstance(inputs, Mapping | tuple):
        return list(inputs.split(rows))
    count = len(parts(inputs)[0])
    return [taken(inputs, slice(at, at + rows)) for at in range(0, count, rows)]
