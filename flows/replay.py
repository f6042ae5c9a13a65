"""A population's winner replayed: one network, from scratch, on the schedule that it found."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace as changed
from typing import Any

from prefect import flow

from nettuner.flows.engine.dag import node_name
from nettuner.flows.engine.record import facts_of, folder_of
from nettuner.flows.engine.search import SearchFailedError, close, trained
from nettuner.flows.prefect_runs.naming import name_run
from nettuner.flows.prefect_runs.prefect_private import plain
from nettuner.models.study import Proposal, Stop, Study, Trial
from nettuner.tasks.memory import recall, search_record, store
from nettuner.tasks.memory import tags as names
from nettuner.tasks.memory.recall import PastSearch
from nettuner.tasks.named_study import ENDINGS, StudyGiven, named
from nettuner.tasks.plan import Plan, make_plan, using
from nettuner.tasks.report import pages
from nettuner.tasks.report.live.progress import Progress
from nettuner.tasks.strategies.population import lineage, schedule
from nettuner.tasks.training.context import TrialContext
from nettuner.tasks.training.examine import examine_winner
from nettuner.tasks.training.placement import placed
from nettuner.tasks.training.trial import FailedTrialError, train
from nettuner.tasks.workers.pool import open_pool

POPULATION = "population"


@dataclass(frozen=True)
class Replayable:
    """A population search that can be replayed.

    Args:
        study: As it was searched.
        plan: Plan of the study.
        past: The search.
        winner: Best trial of the search, or the one that won its finals.
    """

    study: Study
    plan: Plan
    past: PastSearch
    winner: Trial


@dataclass(frozen=True)
class ReplayResult:
    """What came of a replay.

    Args:
        name: Name of the replay.
        run_id: Id of its parent run in MLflow.
        url: Address of its page in MLflow.
        trials: One for each phase; the last one's score is the replay's.
        test: Metrics on the test rows.
        replayed: The search.
        original: The winner of that search.
    """

    name: str
    run_id: str
    url: str
    trials: list[Trial]
    test: dict[str, float]
    replayed: PastSearch
    original: Trial


def to_replay(study: Study | str, search: str | None = None) -> Replayable:
    """Find what there is to replay.

    Args:
        study: The study, its file, or its name: then it is taken as it was searched.
        search: Name of the population search; None for the latest that is finished.

    Raises:
        StudyError: The study makes no sense.
        ValueError: There is no such search, or the study was changed since.
    """
    client = store.client()
    if isinstance(study, str) and study.endswith(ENDINGS):
        study = named(study)
    past = recall.population(client, study if isinstance(study, str) else study.name, search)
    if isinstance(study, str):
        study = recall.as_searched(client, past)
    study = using(study, POPULATION)
    plan = make_plan(study)
    if plan.digest != past.digest:
        raise ValueError(
            f"the study {study.name!r} or its data was changed since {past.name!r} found its "
            "schedule; undo the change (stop rules and width may differ), or search it again"
        )
    winner = past.winner
    assert winner is not None  # else the search would have failed
    return Replayable(study, plan, past, winner)


@flow(name="replay", flow_run_name="{study.name}: replay")
def replay(study: StudyGiven, search: str | None = None, seed: int | None = None) -> ReplayResult:
    """Train one network from scratch on the schedule of a population's winner.

    Its initial weights and batches are those of the winner's member. So where that never copied
    another one, the replay is its training once more.

    Args:
        study: Study that was searched.
        search: Name of the population search; left out: the latest that is finished.
        seed: Instead of the study's own.
    """
    found = to_replay(study, search)
    once: dict[str, Any] = {"stop": Stop(), "width": 1, "trial_seconds": None}
    once |= {} if seed is None else {"seed": seed}
    again = found.study.model_copy(update=once)
    facts = changed(
        facts_of(found.plan),
        strategy="replay",
        kind="replay",
        of=found.past.name,
        settings={"search": found.past.name},
        tags={
            names.REPLAYED: found.past.name,
            names.REPLAYED_RUN: store.run_url(found.past.experiment_id, found.past.run_id),
        },
    )
    record = search_record.start_search(store.client(), again, found.plan.goal, facts)
    name_run(f"{again.name}: {record.name}")
    with (
        folder_of(record, resumable=False) as folder,
        open_pool(1, again.threads, again) as pool,
        placed(changed(found.plan, study=again), pool) as places,
    ):
        plan = changed(found.plan, study=again, width=1)
        return _run(TrialContext(plan, pool, places, record, folder), found)


def _run(context: TrialContext, found: Replayable) -> ReplayResult:
    record, goal = context.record, context.goal
    phases = lineage.schedule(found.past.trials, found.winner)
    told = schedule.written(found.study, goal, found.past.trials, found.winner, phases)
    record.keep(schedule.FILE, told)
    asked = schedule.proposals(phases, found.winner.proposal.member or 0)
    plan = changed(found.plan, study=context.study, trials=len(asked))
    trials, last = _train(context, plan, asked)
    record.improved(trials[-1], trained(trials))
    test: dict[str, float] = examine_winner.submit(
        plain(context), plain(trials[-1]), return_state=False, wait_for=[last]
    ).result()
    text = pages.replay_as_markdown(context.study, goal, trials, test, found.past)
    close(context, trials[-1], test, text)
    return ReplayResult(
        record.name, record.run_id, record.url, trials, test, found.past, found.winner
    )


def _train(context: TrialContext, plan: Plan, asked: list[Proposal]) -> tuple[list[Trial], Any]:
    """Train phase after phase; gives their trials, and the last node of the DAG.

    Raises:
        SearchFailedError: A phase failed.
    """
    trials: list[Trial] = []
    node: Any = None
    with Progress(plan, context) as progress:
        for proposal in asked:
            progress.show(trials, trials[-1] if trials else None, [proposal])
            node = train.submit(
                plain(context),
                plain(proposal),
                plain(trials[-1] if trials else None),
                node_name([proposal]),
                return_state=False,
                wait_for=[node] if node else [],
            )
            try:
                trials.append(node.result())
            except FailedTrialError as error:
                raise SearchFailedError(
                    f"the replay failed in round {_reached(error.trial, trials)}, because {error}; "
                    f"its schedule may have been luck: try another --seed, see {context.record.url}"
                ) from None
            except BaseException:
                context.pool.stop()
                node.wait(timeout=20)  # it closes its own run with the reason
                raise
    return trials, node


def _reached(failed: Trial, before: list[Trial]) -> int:
    """The round, counted from 1, in which a phase failed."""
    return (before[-1].proposal.until or 0 if before else 0) + failed.rounds + 1
