"""Which of the proposals that wait one worker trains together."""

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
    """The next proposals of one kind: a worker's fair share of all that wait or run.

    Args:
        waiting: In their order, at least one; the first decides the kind.
        running: Proposals that other workers train.
        kind: Function that gives a proposal's kind; equals can be stacked. It is not called where
            nothing is stacked.
        width: Number of workers.
        most: Largest number that is trained together; 1 stacks nothing.
    """
    if most == 1:
        return [waiting[0]]
    wanted = kind(waiting[0])
    alike = [proposal for proposal in waiting if kind(proposal) == wanted]
    beside = sum(kind(proposal) == wanted for proposal in running)
    share = math.ceil((len(alike) + beside) / width)
    return alike[: min(share, most)]


def kind_of(learner: type[Learner], proposal: Proposal, parent: Trial | None) -> Kind:
    """What the members of a stack have in common: where they end and begin, and the structure.

    Args:
        learner: Learner to be trained.
        proposal: Proposal that is to be stacked.
        parent: The trial whose weights it continues from.
    """
    done = parent.proposal.until if parent else None
    return (proposal.until, done, *structure(learner, proposal.params))
