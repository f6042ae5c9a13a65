"""The Prefect tasks of a search, and their dependencies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefect import allow_failure
from prefect.futures import PrefectFuture

from nettuner.flows.prefect_runs.prefect_private import plain
from nettuner.models.study import Proposal, Trial
from nettuner.tasks.report.population_page import trace
from nettuner.tasks.strategies import Strategy
from nettuner.tasks.training.context import TrialContext
from nettuner.tasks.training.examine import examine_winner
from nettuner.tasks.training.propose import propose
from nettuner.tasks.training.stack import fail, train_stack
from nettuner.tasks.training.trial import train


class Dag:
    """Submits the tasks of one search, with their dependencies.

    Args:
        context: Context of the search.
        strategy: Strategy whose proposals are trained.
        follows: Tasks that come before, where these are the finals of a search.
    """

    def __init__(
        self, context: TrialContext, strategy: Strategy, follows: Dag | None = None
    ) -> None:
        self.context = context
        self.strategy = strategy
        self._prefix = "final-" if follows else ""
        self._before = [allow_failure(f) for f in follows._unseen] if follows else []
        self._trained: dict[int, PrefectFuture[Any]] = {}
        self._asked: list[PrefectFuture[list[Proposal]]] = list(follows._asked) if follows else []
        self._origin: dict[int, PrefectFuture[list[Proposal]]] = {}
        # Training tasks that ended since the last call of the strategy.
        self._unseen: list[PrefectFuture[Any]] = []

    def propose(
        self, history: Sequence[Trial], running: Sequence[Proposal], count: int
    ) -> list[Proposal]:
        """Ask the strategy for proposals.

        The task depends on the trials that ended since the last such task, and, through that task,
        on all earlier ones.
        """
        learned = [allow_failure(future) for future in self._unseen]
        future = propose.submit(
            plain(self.strategy),
            plain(self.context.study.space),
            plain(list(history)),
            plain(list(running)),
            count,
            len(self._asked),
            return_state=False,
            wait_for=[
                *self._asked[-1:],
                *self._before,
                *([] if self.strategy.asks == "ahead" else learned),
            ],
        )
        self._asked.append(future)
        self._unseen, self._before = [], []
        proposals = future.result()
        self._origin |= {proposal.number: future for proposal in proposals}
        return proposals

    def train(
        self, proposals: Sequence[Proposal], parents: Sequence[Trial | None]
    ) -> PrefectFuture[Any]:
        """Train proposals; depends on the tasks that proposed them and trained their parents."""
        before: list[Any] = [self._origin[proposal.number] for proposal in proposals]
        before += [self._trained[p.number] for p in parents if p and p.number in self._trained]
        name = self._prefix + self._name(proposals)
        if len(proposals) == 1:
            future: PrefectFuture[Any] = train.submit(
                plain(self.context),
                plain(proposals[0]),
                plain(parents[0]),
                name,
                return_state=False,
                wait_for=list(dict.fromkeys(before)),
            )
        else:
            future = train_stack.submit(
                plain(self.context),
                plain(list(proposals)),
                plain(list(parents)),
                name,
                return_state=False,
                wait_for=list(dict.fromkeys(before)),
            )
        self._trained |= {proposal.number: future for proposal in proposals}
        return future

    def _name(self, proposals: Sequence[Proposal]) -> str:
        is_same = self.strategy.continues == "itself"
        return node_name(proposals, "configuration" if is_same else "member")

    def outcome(self, number: int) -> Any:
        """Result of the task that trained a proposal: trials, or an exception."""
        future = self._trained[number]
        self._unseen.append(future)
        return future.result(raise_on_failure=False)

    def fail(self, trial: Trial) -> None:
        """Show a failed trial of a stack as a failed task run."""
        name = self._prefix + self._name([trial.proposal])
        after = [self._trained[trial.number]]
        fail.submit(plain(trial), name, return_state=False, wait_for=after).wait()

    def wait(self, number: int, seconds: float) -> None:
        """Wait for the task that trains a proposal."""
        self._trained[number].wait(timeout=seconds)

    def trace(self, history: Sequence[Trial], winner: Trial) -> None:
        """Store a population's lineage and schedules; a failure does not fail the search."""
        trace.submit(
            plain(self.context),
            plain(list(history)),
            plain(winner),
            return_state=False,
            wait_for=[*self._asked[-1:], *map(allow_failure, self._unseen)],
        ).wait()

    @property
    def trained(self) -> list[Any]:
        """All tasks that trained something, which may have failed."""
        return [allow_failure(future) for future in dict.fromkeys(self._trained.values())]

    def examine(self, winner: Trial, finals: Dag | None = None) -> dict[str, float]:
        """The winner's metrics on the test rows.

        Args:
            winner: Trial whose checkpoint is examined.
            finals: Tasks of the finals that decided; None where there were none.
        """
        own = [self._trained[winner.number]] if winner.number in self._trained else []
        examined = examine_winner.submit(
            plain(self.context),
            plain(winner),
            return_state=False,
            wait_for=finals.trained if finals else own,
        )
        return examined.result()


def node_name(proposals: Sequence[Proposal], of_member: str = "member") -> str:
    """Name of a training task in the DAG.

    Args:
        proposals: Proposals that are trained.
        of_member: Word for the network that a segment belongs to.
    """
    first, last = proposals[0], proposals[-1]
    if first.member is None:
        kind, numbers = "trial", (first.number, last.number)
        until = ""
    else:
        assert last.member is not None
        kind, numbers = of_member, (first.member, last.member)
        until = f"-until-{first.until}" if first.until else ""
    if len(proposals) == 1:
        return f"{kind}-{numbers[0]}{until}"
    return f"{len(proposals)}-{kind}s-{numbers[0]}-to-{numbers[1]}{until}"
