"""The course of a training as strategies see it: its score after each round, and what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

# Of longer curves every other point is left out, until they are as short.
MOST_POINTS = 512


class Point(NamedTuple):
    """The score after a round.

    Args:
        round: Round, counted from 1 over the whole training; of a function without a context the
            step that it reported.
        score: Score, lower is better; finite.
        seconds: Time that was spent since the point before [s].
    """

    round: int
    score: float
    seconds: float


Curve = tuple[Point, ...]
"""Points in the order of their rounds, of which each has one."""


def extended(curve: Sequence[Point], point: Point) -> list[Point]:
    """A curve with one more point.

    A round that comes again is told anew: its later score counts, and the time of both. One that is
    earlier than the last, as a function may report it, is taken for the last.
    """
    if not curve or point.round > curve[-1].round:
        return [*curve, point]
    last = curve[-1]
    return [*curve[:-1], Point(last.round, point.score, last.seconds + point.seconds)]


def thinned(curve: Sequence[Point], most: int = MOST_POINTS) -> Curve:
    """A curve of at most so many points, as evenly as halving leaves them; the last one stays.

    The time of points that are left out is added to the next one.
    """
    points = list(curve)
    while len(points) > most:
        first = len(points) % 2  # so that the last one is the second of a pair
        pairs = zip(points[first::2], points[first + 1 :: 2], strict=True)
        points = points[:first] + [
            Point(late.round, late.score, early.seconds + late.seconds) for early, late in pairs
        ]
    return tuple(points)
