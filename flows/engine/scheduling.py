"""Decides which proposals are trained next, and which together; without Prefect."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from nettuner.models.study import Proposal, Trial, best
from nettuner.tasks.plan import Plan
from nettuner.tasks.training.share_out import kind_of, share_out

# Proposals requested at once from a strategy that does not learn from results.
BATCH = 256


class Scheduler:
    """Trials ended, in flight, and waiting; up to `width` groups may be in flight.

    Args:
        plan: Plan of the search.
        history: Trials from before a resume; else empty.
    """

    def __init__(self, plan: Plan, history: Sequence[Trial]) -> None:
        self.plan = plan
        self.width = plan.width
        """Groups that may be in flight; on a cluster it changes."""
        self.history = list(history)
        self.best = best(history)
        self.waiting: deque[Proposal] = deque()
        # All or some of those waiting, as they are to be trained together.
        self._shares: deque[list[Proposal]] = deque()
        self.groups: dict[int, list[Proposal]] = {}
        """Proposals in flight: those trained together, by the number of the first one."""

    @property
    def running(self) -> list[Proposal]:
        """All proposals in flight."""
        return [proposal for group in self.groups.values() for proposal in group]

    @property
    def free(self) -> int:
        """Number of groups that may still be started."""
        return max(0, self.width - len(self.groups))

    @property
    def left(self) -> int:
        """Maximum number of further trials."""
        trials = self.plan.trials
        return BATCH if trials is None else trials - len(self.history) - len(self.running)

    @property
    def wanted(self) -> int:
        """Number of proposals to request from the strategy now; 0 to wait."""
        match self.plan.strategy.asks:
            case "ahead":
                return min(BATCH, self.left)
            case "generation":
                return 0 if self.groups else self.left
            case "stack" | "single":
                return min(self.free * self.plan.stack, self.left)

    def parent(self, proposal: Proposal) -> Trial | None:
        """The trial whose weights a proposal continues from; None if it starts anew."""
        if proposal.parent is None:
            return None
        return next((t for t in self.history if t.number == proposal.parent), None)

    def take(self) -> list[Proposal]:
        """Start the next group: the proposals that one worker trains together."""
        if not self._shares:
            plan = self.plan
            self._shares += share_out(self.waiting, self._kind, self.width, plan.stack)
        group = self._shares.popleft()
        taken = {proposal.number for proposal in group}
        self.waiting = deque(p for p in self.waiting if p.number not in taken)
        self.groups[group[0].number] = group
        return group

    def _kind(self, proposal: Proposal) -> tuple[Any, ...]:
        """What the members of a stack must agree in."""
        return kind_of(self.plan.structural, proposal, self.parent(proposal))

    def forget_waiting(self) -> None:
        """Drop what waits: it, or something better, is proposed again when it can be started."""
        self.waiting.clear()
        self._shares.clear()

    def end(self, number: int) -> list[Proposal]:
        """Remove a group from those in flight; returns its proposals."""
        return self.groups.pop(number)

    def add(self, trial: Trial) -> bool:
        """Add a trial to the history; returns whether it is the best so far."""
        self.history.append(trial)
        known = [self.best] if self.best else []
        if trial.succeeded and best([trial, *known]) is trial:
            self.best = trial
            return True
        return False

    def needed(self) -> set[int]:
        """Numbers of the trials whose checkpoints are still needed, the best one included."""
        pending = [*self.running, *self.waiting]
        needed = self.plan.strategy.needed(self.history, pending)
        return needed | ({self.best.number} if self.best else set())
