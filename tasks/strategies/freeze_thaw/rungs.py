"""Rounds at which a training pauses to be judged, each about twice as far as the one before."""

from __future__ import annotations


def rungs(rounds: int, shortest: int) -> list[int]:
    """The last round of each possible segment, ascending: the whole training halved repeatedly.

    Args:
        rounds: Rounds of a whole training.
        shortest: Rounds of the first segment at least.
    """
    found: list[int] = []
    last = float(rounds)
    while round(last) >= max(shortest, 1):
        if not found or round(last) < found[-1]:
            found.append(round(last))
        last /= 2
    return found[::-1] or [rounds]
