"""Which proposals are trained next, and together with which: the places of a search, no Prefect."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from nettuner.models import learners
from nettuner.models.study import Proposal, Trial, best
from nettuner.tasks.plan import Plan
from nettuner.tasks.training.share_out import fair_share, kind_of

# A strategy whose proposals do not get better by waiting is asked for so many at once.
BATCH = 256


class Scheduler:
    """What has ended, what is in flight, and what waits; `width` groups may be in flight.

    Args:
        plan: Plan of the search.
        history: Trials that ended before, where the search is resumed.
    """

    def __init__(self, plan: Plan, history: Sequence[Trial]) -> None:
        self.plan = plan
        self.history = list(history)
        self.best = best(history)
        self.waiting: deque[Proposal] = deque()
        self.groups: dict[int, list[Proposal]] = {}
        """What is in flight: the proposals that are trained together, by the first one's number."""

    @property
    def running(self) -> list[Proposal]:
        """All proposals in flight."""
        return [proposal for group in self.groups.values() for proposal in group]

    @property
    def free(self) -> int:
        """How many more groups may be started."""
        return self.plan.width - len(self.groups)

    @property
    def left(self) -> int:
        """How many more trials there may be at most."""
        trials = self.plan.trials
        return BATCH if trials is None else trials - len(self.history) - len(self.running)

    @property
    def wanted(self) -> int:
        """How many proposals the strategy is to be asked for now; 0 while it has to wait."""
        strategy = self.plan.strategy
        if strategy.adaptive and not strategy.one_by_one and self.groups:
            return 0  # it learns from whole generations
        if strategy.one_by_one:
            return min(self.free * self.plan.stack, self.left)
        return self.left if strategy.adaptive else min(BATCH, self.left)

    def parent(self, proposal: Proposal) -> Trial | None:
        """The trial whose weights a proposal continues from."""
        if proposal.parent is None:
            return None
        return next((t for t in self.history if t.number == proposal.parent), None)

    def take(self) -> list[Proposal]:
        """Start the next group: the proposals that one worker trains together."""
        group = fair_share(self.waiting, self.running, self._kind, self.plan.width, self.plan.stack)
        taken = {proposal.number for proposal in group}
        self.waiting = deque(p for p in self.waiting if p.number not in taken)
        self.groups[group[0].number] = group
        return group

    def _kind(self, proposal: Proposal) -> tuple[Any, ...]:
        """What the members of a stack have in common."""
        found = learners.find(self.plan.study.learner)
        assert isinstance(found, type)
        return kind_of(found, proposal, self.parent(proposal))

    def end(self, number: int) -> list[Proposal]:
        """Take a group out of flight; gives its proposals."""
        return self.groups.pop(number)

    def add(self, trial: Trial) -> bool:
        """Take a trial into the history; whether it is the best so far."""
        self.history.append(trial)
        known = [self.best] if self.best else []
        if trial.succeeded and best([trial, *known]) is trial:
            self.best = trial
            return True
        return False

    def needed(self) -> set[int]:
        """Numbers of the trials whose states something may still need; of the best one, always."""
        pending = [*self.running, *self.waiting]
        needed = self.plan.strategy.needed(self.history, pending)
        return needed | ({self.best.number} if self.best else set())
