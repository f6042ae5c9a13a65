"""A curve as a row of blocks."""

from __future__ import annotations

from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
# The same for terminals that know no more than ASCII.
PLAIN_BLOCKS = "_.-=+*%#"


def sparkline(values: Sequence[float], blocks: str = BLOCKS) -> str:
    """A block for each value, from the lowest (of `blocks` the first) to the highest.

    Args:
        values: Shape [points]; finite.
        blocks: Characters by height.
    """
    if not values:
        return ""
    low, high = min(values), max(values)
    if low == high:
        return blocks[len(blocks) // 2] * len(values)
    last = len(blocks) - 1
    # Halved, as the difference of two finite numbers may be infinite.
    heights = [(value / 2 - low / 2) / (high / 2 - low / 2) for value in values]
    return "".join(blocks[round(last * height)] for height in heights)


def shortened(values: Sequence[float], most: int) -> tuple[float, ...]:
    """At most so many of the values, evenly spaced; the first and the last one stay.

    Args:
        values: Shape [points].
        most: Number of points, 2 or more.
    """
    if len(values) <= most:
        return tuple(values)
    step = (len(values) - 1) / (most - 1)
    return tuple(values[round(k * step)] for k in range(most))
