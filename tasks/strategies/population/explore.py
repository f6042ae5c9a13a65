"""Explore: the hyperparameters of a copy are perturbed.

A step multiplies or divides by a factor, with equal probability, on the dimension's own scale:

- logarithmic (log-uniform, log-normal, integers with `log`): exactly `x factor` or `/ factor`.
- linear (uniform, integers): likewise, but the size of the step is that of a value between a
  quarter of the range's width and the whole width. So the step from 0 is `log(factor) / 4` of the
  width, and a range far from zero such as 0.8 to 1 is not crossed in one step.
- none (normal, truncated, scipy): a step of `log(factor) / 2` in unit space, the average step of a
  uniform distribution from zero.

Steps up and down have the same length in some coordinate, so they cancel out and values do not
drift, unlike with the factors 0.8 and 1.2 (2 % a step); only bounds shorten steps.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

from numpy.random import Generator

from nettuner.models.space import (
    Choice,
    Dimension,
    Fixed,
    Integer,
    LogNormal,
    LogUniform,
    Params,
    Space,
    Uniform,
    same,
)

# Linear dimensions: smallest value for the size of a step, in widths of the range.
SMALLEST = 0.25
# Longest step in unit space.
LONGEST = 0.5


def explored(
    space: Space,
    params: Params,
    pinned: Collection[str],
    factor: float,
    resample: float,
    rng: Generator,
) -> dict[str, Any]:
    """Perturb the hyperparameters of a copy; draws four random numbers for each dimension.

    Args:
        space: Space of the configuration.
        params: Hyperparameters of the member that is copied.
        pinned: Names of dimensions that stay as they are, as they fix the shapes of the weights.
        factor: Factor of a step, above 1.
        resample: Probability that a value is drawn anew from its distribution instead.
        rng: Random generator of this copy alone.

    Returns:
        A configuration of the space. Dimensions that become active are drawn, those that become
        inactive are dropped.
    """
    draws = dict(zip(space.names(), rng.random((len(space), 4)).tolist(), strict=True))
    found: dict[str, Any] = {}
    for name in space.order:
        anew, unit, direction, which = draws[name]
        if not space.is_active(name, found):
            continue
        if name in pinned and name in params:
            found[name] = params[name]
        elif name not in params or anew < resample:
            found[name] = space[name].from_unit(unit)
        else:
            found[name] = moved(space[name], params[name], factor, direction < 0.5, which)
    return {name: found[name] for name in space.names() if name in found}


def pinned(space: Space, structural: Collection[str]) -> set[str]:
    """The structural dimensions, and those that their conditions depend on."""
    found = {name for name in structural if name in space}
    for name in reversed(space.order):
        if name in found:
            found |= set(space[name].when or {})
    return found


def moved(dimension: Dimension, value: Any, factor: float, up: bool, which: float = 0.0) -> Any:
    """The value one step away.

    Args:
        dimension: Dimension of the value.
        value: Value to start from.
        factor: Factor of a step, above 1.
        up: Direction. Bounded dimensions are clipped; the tails of unbounded ones reflect.
            Integers change by at least one and ordered choices by exactly one, away from the end
            if they are at one.
        which: Random number in [0, 1) that picks the new value of an unordered choice.

    Returns:
        A value of the dimension, as a plain int, float, str or bool.
    """
    if isinstance(dimension, Choice | Fixed):
        return _other_choice(dimension, value, up, which)
    target = _target(dimension, value, factor, up)
    if isinstance(target, int) and same(target, value):
        return _next_whole(dimension, value, up)
    return target


def _target(dimension: Dimension, value: Any, factor: float, up: bool) -> Any:
    """The value of the dimension nearest to one step away."""
    match dimension:
        case LogUniform() | LogNormal() | Integer(log=True):
            target = value * factor if up else value / factor
        case Uniform() | Integer():
            width = dimension.high - dimension.low
            target = width * stepped(value / width, math.log(factor) * (1 if up else -1))
        case _:
            step = min(math.log(factor) / 2, LONGEST)
            return dimension.from_unit(_inside(dimension, dimension.to_unit(value), step, up))
    low, high = dimension.from_unit(0.0), dimension.from_unit(1.0)
    target = min(max(target, low), high)
    if isinstance(dimension, Integer):
        return low + dimension.step * round((target - low) / dimension.step)
    return float(target)


def stepped(size: float, step: float) -> float:
    """A step on a linear dimension, whose range has width 1.

    The step is made in a coordinate that is linear up to 1/4, logarithmic up to 1, and linear
    beyond, with a continuous slope; steps up and down have the same length in it.

    Args:
        size: Value in widths of its range; may be negative.
        step: Signed logarithm of the factor.
    """
    return _from_coordinate(_to_coordinate(size) + step)


# Coordinate at size 1.
_AT_ONE = 1 - math.log(SMALLEST)


def _to_coordinate(size: float) -> float:
    far = abs(size)
    if far <= SMALLEST:
        place = far / SMALLEST
    elif far <= 1:
        place = 1 + math.log(far / SMALLEST)
    else:
        place = _AT_ONE + far - 1
    return math.copysign(place, size)


def _from_coordinate(place: float) -> float:
    far = abs(place)
    if far <= 1:
        size = far * SMALLEST
    elif far <= _AT_ONE:
        size = SMALLEST * math.exp(far - 1)
    else:
        size = 1 + far - _AT_ONE
    return math.copysign(size, place)


def _inside(dimension: Dimension, unit: float, step: float, up: bool) -> float:
    """A step in unit space, clipped or reflected at its ends."""
    unit += step if up else -step
    if dimension.bounded:
        return min(max(unit, 0.0), 1.0)
    return -unit if unit < 0 else 2 - unit if unit > 1 else unit


def _other_choice(dimension: Choice | Fixed, value: Any, up: bool, which: float) -> Any:
    """A neighbour where the values are ordered, else any of the others."""
    levels = dimension.levels
    if len(levels) == 1:
        return value
    place = next(i for i, level in enumerate(levels) if same(level, value))
    if not dimension.is_ordered:
        others = [*levels[:place], *levels[place + 1 :]]
        return others[int(which * len(others))]
    other = place + 1 if up else place - 1
    return levels[other if 0 <= other < len(levels) else 2 * place - other]


def _next_whole(dimension: Dimension, value: int, up: bool) -> int:
    """The next integer up or down; at an end the other one."""
    one = getattr(dimension, "step", 1)
    near = [value + one, value - one] if up else [value - one, value + one]
    return next((other for other in near if dimension.contains(other)), value)
