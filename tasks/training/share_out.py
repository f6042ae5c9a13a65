"""Which of the waiting proposals are trained together."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, TypeVar

from nettuner.models.structure import structure
from nettuner.models.study import Proposal, Trial

Kind = tuple[Any, ...]
Item = TypeVar("Item")


def share_out(
    waiting: Sequence[Proposal], kind: Callable[[Proposal], Kind], width: int, most: int
) -> list[list[Proposal]]:
    """Groups of proposals of one kind, an equal share for each worker, in the order of their first.

    Who runs and who is idle makes no difference, so that a seed always gives the same groups: a
    network trained in another group differs by the rounding of its numbers.

    Args:
        waiting: Waiting proposals in order.
        kind: Function from a proposal to its kind; those of equal kind can be stacked. Not called
            if `most` is 1.
        width: Number of workers.
        most: Maximum size of a stack; 1 stacks nothing.
    """
    if most == 1:
        return [[proposal] for proposal in waiting]
    alike: dict[Kind, list[Proposal]] = {}
    for proposal in waiting:
        alike.setdefault(kind(proposal), []).append(proposal)
    place = {proposal.number: place for place, proposal in enumerate(waiting)}
    groups = [
        list(group)
        for proposals in alike.values()
        for group in batched(proposals, min(math.ceil(len(proposals) / width), most))
    ]
    return sorted(groups, key=lambda group: place[group[0].number])


def batched(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Items in portions of this size; the last may be smaller."""
    for first in range(0, len(items), size):
        yield items[first : first + size]


def kind_of(structural: Collection[str], proposal: Proposal, parent: Trial | None) -> Kind:
    """What the members of a stack must agree in: last round, first round, and structure.

    Args:
        structural: Names of the hyperparameters that fix tensor shapes or code paths.
        proposal: Proposal to stack.
        parent: Trial whose weights it continues from; None starts anew.
    """
    done = parent.proposal.until if parent else None
    return (proposal.until, done, *structure(structural, proposal.params))
