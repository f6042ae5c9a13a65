"""Prefect task that asks the strategy for proposals."""

from __future__ import annotations

from collections.abc import Sequence

from prefect import task
from prefect.cache_policies import NO_CACHE

from nettuner.models.space import Space
from nettuner.models.study import Proposal, Trial
from nettuner.tasks.strategies import Strategy


@task(name="propose", task_run_name="propose-{asked}", cache_policy=NO_CACHE)
def propose(
    strategy: Strategy,
    space: Space,
    history: Sequence[Trial],
    pending: Sequence[Proposal],
    count: int,
    asked: int,
) -> list[Proposal]:
    """The strategy's proposals for this history; `asked` numbers the tasks of one flow run."""
    return strategy.propose(space, history, pending, count)
