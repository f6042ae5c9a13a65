"""Trains the best few of a search again with several seeds; the winner is the challenger."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from prefect.futures import PrefectFuture

from nettuner.flows.engine.record import facts_of, folder_of
from nettuner.flows.engine.search import Engine, SearchResult
from nettuner.models.study import Stop
from nettuner.tasks.champion.compare import Challenger
from nettuner.tasks.champion.frozen_data import FrozenData
from nettuner.tasks.memory import search_record, store
from nettuner.tasks.memory import tags as names
from nettuner.tasks.plan import make_plan
from nettuner.tasks.training.context import TrialContext
from nettuner.tasks.training.finals import Finals, finalists
from nettuner.tasks.workers.pool import open_pool

# Added to a study's seed for the finals, so that their initial weights differ.
OTHER_SEED = 1_000_003


def train_finals(
    fresh: FrozenData, searched: SearchResult, count: int, seeds: int
) -> tuple[Challenger, PrefectFuture[Any] | None]:
    """Train the best few again, with seeds that the search did not use.

    Args:
        fresh: Study on fresh data.
        searched: Result of the search.
        count: Number of trials to train again.
        seeds: Number of seeds for each.

    Returns:
        The challenger, and the Prefect future that logged it.

    Raises:
        SearchFailedError: None could be trained.
    """
    strategy = Finals(finalists(fresh.study, searched.trials, count), seeds)
    size = strategy.size(fresh.study.space)
    other = (fresh.study.seed + OTHER_SEED) % 2**32
    study = fresh.study.model_copy(update={"stop": Stop(trials=size), "seed": other})
    plan = replace(make_plan(study), strategy=strategy, strategy_name="finals", trials=size)
    facts = replace(
        facts_of(plan),
        strategy="finals",
        kind="finals",
        settings={"of": searched.name, "seeds": seeds},
        tags={names.FINALS_OF: searched.run_id},
    )
    record = search_record.start_search(store.client(), study, plan.goal, facts)
    with (
        folder_of(record, resumable=False) as folder,
        open_pool(plan.width, study.threads, study) as pool,
    ):
        engine = Engine(TrialContext(study, plan.goal, pool, record, folder, plan.kind), plan, [])
        engine.train()
        found = engine.conclude(strategy.winner(engine.history))
    challenger = Challenger(
        fresh.study.name,
        fresh.task,
        fresh.study.metric,
        found.run_id,
        fresh.reference,
        plan.fingerprint,
    )
    return challenger, engine.dag.examined
