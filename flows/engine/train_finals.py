"""Trains the best few of a search again with other seeds; the best mean wins the search."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nettuner.flows.engine.dag import Dag
from nettuner.flows.engine.record import facts_of, folder_of
from nettuner.models.study import Stop, Study, Trial
from nettuner.tasks.memory import recall, resuming, search_record, store
from nettuner.tasks.memory import tags as names
from nettuner.tasks.plan import Plan, plan_for
from nettuner.tasks.report import pages
from nettuner.tasks.training.context import TrialContext
from nettuner.tasks.training.finals import Finals, finalists
from nettuner.tasks.workers.pool import Pool

if TYPE_CHECKING:
    from nettuner.flows.engine.search import Engine

# Added to a study's seed for the finals, so that their initial weights differ.
OTHER_SEED = 1_000_003


@dataclass(frozen=True)
class TrainedFinals:
    """Finals that have ended.

    Args:
        ranked: Finalists, as trials of the search with their scores in the finals, best first.
        dag: Tasks of the finals.
    """

    ranked: list[Trial]
    dag: Dag


@contextmanager
def trained_finals(
    searched: Engine, count: int, past: recall.PastSearch | None
) -> Iterator[TrainedFinals]:
    """Train the best few of a search again; the weights stay as long as the block runs.

    Args:
        searched: Engine of the search, which has ended with a best trial.
        count: Number of finalists.
        past: The search as it was before it was resumed; its finals go on.

    Raises:
        SearchFailedError: None could be trained, or too many in a row failed.
    """
    context, study = searched.context, searched.context.study
    chosen = finalists(study, searched.history, count)
    strategy = Finals(tuple(finalist.phases for finalist in chosen), study.finals_seeds)
    plan = plan_for(searched.plan, _with_other_seed(study, strategy), strategy, "finals")
    context.record.finals_begin(searched.why)
    record, history, spent = _opened(plan, context.record, past, context.pool)
    record.recorder.write_in(context.pool)
    with folder_of(record, resumable=True) as folder:
        own = TrialContext(plan, context.pool, context.places, record, folder, spent)
        engine = searched.followed_by(own, plan, history)
        engine.train()
        found = strategy.ranked(engine.history)
        ranked = [chosen[place].after(trained) for place, trained in found]
        if not ranked:
            raise engine.without_success()
        context.record.finals_end(ranked, record.url)
        yield TrainedFinals(ranked, engine.dag)
        text = pages.finals_as_markdown(study, plan.goal, ranked)
        record.finish("FINISHED", text, {}, ranked[0].proposal.params)


def _with_other_seed(study: Study, strategy: Finals) -> Study:
    """The study of the finals: each training has a seed of its own, so none is repeated."""
    changes = {
        "stop": Stop(trials=strategy.size(study.space)),
        "seed": (study.seed + OTHER_SEED) % 2**32,
        "repeats": 1,
        "finals": None,
    }
    return study.model_copy(update=changes)


def _opened(
    plan: Plan, of: search_record.SearchRecord, past: recall.PastSearch | None, pool: Pool
) -> tuple[search_record.SearchRecord, list[Trial], float]:
    """The record of the finals, their trials so far, and the seconds that they took."""
    facts = replace(
        facts_of(plan),
        strategy="finals",
        kind="finals",
        of=of.name,
        settings={"of": of.name, "seeds": plan.study.finals_seeds},
        tags={names.FINALS_OF: of.run_id},
    )
    client = store.client()
    begun = recall.finals_of(client, past) if past else None
    if begun and begun.status in recall.UNFINISHED and begun.digest == facts.digest:
        record, spent = resuming.resume(client, begun, plan.goal, facts)
        return record, begun.trials, spent
    record = search_record.start_search(client, plan.study, plan.goal, facts, pool)
    return record, [], 0.0
