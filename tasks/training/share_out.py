"""Which of the waiting proposals a worker trains together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from nettuner.models.learner import Learner
from nettuner.models.stacks.structure import structure
from nettuner.models.study import Proposal, Trial

Kind = tuple[Any, ...]


def fair_share(
    waiting: Sequence[Proposal],
    running: Iterable[Proposal],
    kind: Callable[[Proposal], Kind],
    width: int,
    most: int,
) -> list[Proposal]:
    """The next proposals of one kind: a worker's equal share of those waiting or running.

    Args:
        waiting: Waiting proposals in order, at least one; the first decides the kind.
        running: Proposals that other workers train.
        kind: Function from a proposal to its kind; those of equal kind can be stacked. Not called
            if `most` is 1.
        width: Number of workers.
        most: Maximum size of a stack; 1 stacks nothing.
    """
    if most == 1:
        return [waiting[0]]
    wanted = kind(waiting[0])
    alike = [proposal for proposal in waiting if kind(proposal) == wanted]
    beside = sum(kind(proposal) == wanted for proposal in running)
    share = math.ceil((len(alike) + beside) / width)
    return alike[: min(share, most)]


def kind_of(learner: type[Learner], proposal: Proposal, parent: Trial | None) -> Kind:
    """What the members of a stack must agree in: last round, first round, and structure.

    Args:
        learner: Learner to be trained.
        proposal: Proposal to stack.
        parent: Trial whose weights it continues from; None starts anew.
    """
    done = parent.proposal.until if parent else None
    return (proposal.until, done, *structure(learner, proposal.params))
