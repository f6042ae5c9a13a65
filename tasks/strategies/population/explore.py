"""Explore: the hyperparameters of a copy, near those of the member it was copied from.

A step multiplies by a factor or divides by it, both as likely, in the dimension's own scale:

- logarithmic (log-uniform, log-normal, integers with `log`): exactly `x factor` or `/ factor`.
- linear (uniform, integers): likewise, but for this purpose a value counts as no smaller than a
  quarter of its range's width and no larger than the whole width. So 0 is left by a step of
  `log(factor) / 4` of the width, and a range far from zero such as 0.8 to 1 is not crossed at once.
- none (normal, truncated, scipy): a step of `log(factor) / 2` in unit space, which is what the
  steps of a uniform distribution from zero are on average.

Each is a step of the same length up and down some coordinate, so a step up and a step down cancel
out and nothing drifts, as x 0.8 and x 1.2 do by 2 % a step; only bounds cut steps short.
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

# On a linear dimension, in widths of its range: a value steps as if it were at least this large.
SMALLEST = 0.25
# A step in unit space is at most this long, whatever the factor.
LONGEST = 0.5


def explored(
    space: Space,
    params: Params,
    pinned: Collection[str],
    factor: float,
    resample: float,
    rng: Generator,
) -> dict[str, Any]:
    """A copy's hyperparameters; uses four random numbers for each dimension of the space.

    Args:
        space: Space of the configuration.
        params: Hyperparameters of the member that is copied.
        pinned: Dimensions that stay as they are, for the weights have their shape from them.
        factor: Above 1: how far a value moves.
        resample: Probability that a value is drawn anew from its distribution instead.
        rng: Random generator of this copy alone.

    Returns:
        A configuration of the space. A dimension that comes to exist is drawn, one that no longer
        does is dropped.
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
    """The structural dimensions, and all that decides whether these exist."""
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
        factor: Above 1: the step's size.
        up: Direction. Bounded dimensions end at their bounds; the tails of unbounded ones
            reflect. Whole numbers and ordered choices change by at least one, away from an end
            if they are at it; ordered choices change by exactly one.
        which: In [0, 1): picks the other value where values have no order.

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
    """The value of the dimension that is nearest to one step away."""
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

    Sizes up to a quarter are spaced evenly, from there to 1 by their logarithm, and beyond evenly
    again: a coordinate that is smooth up to its slope, in which steps up and down are alike.

    Args:
        size: The value in widths of its range; may be negative.
        step: Signed logarithm of the factor.
    """
    return _from_coordinate(_to_coordinate(size) + step)


# Where the coordinate of a linear dimension has reached size 1.
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
    """A step in unit space that stays there."""
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
    """The next whole number upwards or downwards; the other one at an end."""
    one = getattr(dimension, "step", 1)
    near = [value + one, value - one] if up else [value - one, value + one]
    return next((other for other in near if dimension.contains(other)), value)
