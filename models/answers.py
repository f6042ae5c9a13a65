"""What a winner answers to the test rows, small enough to be kept and drawn."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Classes:
    """How often each class was answered with each.

    Args:
        labels: Labels of the classes.
        counts: Rows, shape [true class, answered class].
    """

    labels: list[str]
    counts: list[list[int]]


@dataclass(frozen=True)
class Numbers:
    """Numbers of some rows in the target's unit, the true ones and those answered with."""

    true: list[float]
    answered: list[float]


Answered = Classes | Numbers


def as_plain(given: Answered) -> dict[str, Any]:
    """As JSON has it."""
    return asdict(given)


def from_plain(given: dict[str, Any]) -> Answered:
    """Back from JSON."""
    return Classes(**given) if "labels" in given else Numbers(**given)
