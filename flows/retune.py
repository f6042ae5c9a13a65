"""From fresh data to a proven replacement of the champion, or to a reasoned refusal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from prefect import State, flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture
from pydantic import Field

from nettuner.flows.engine.find import flow_of
from nettuner.flows.engine.search import SearchResult
from nettuner.flows.monitor import Least
from nettuner.flows.prefect_runs.approval import ask
from nettuner.flows.prefect_runs.events import PROMOTED, REFUSED, tell
from nettuner.flows.prefect_runs.naming import after_the_study
from nettuner.flows.prefect_runs.one_at_a_time import BusyError, one_at_a_time
from nettuner.flows.prefect_runs.outcome import ended
from nettuner.flows.prefect_runs.overdue import superseded
from nettuner.flows.prefect_runs.prefect_private import plain
from nettuner.models.data.labelled import Labelled
from nettuner.models.study import StrategyChoice, Study
from nettuner.tasks import strategies
from nettuner.tasks.champion import compare as comparing
from nettuner.tasks.champion import promote as promoting
from nettuner.tasks.champion.compare import Challenger, Comparison
from nettuner.tasks.champion.cool_down import cooling, retuned
from nettuner.tasks.champion.frozen_data import freeze
from nettuner.tasks.champion.incoming import DatabaseGiven, incoming_rows
from nettuner.tasks.champion.predicted import task_of
from nettuner.tasks.champion.versions import Version
from nettuner.tasks.memory import store
from nettuner.tasks.memory import tags as names
from nettuner.tasks.named_study import with_data
from nettuner.tasks.plan import make_plan, using

AtLeastZero = Annotated[float, Field(ge=0)]
Outcome = Literal["promoted", "refused", "declined", "skipped"]


@dataclass(frozen=True)
class RetuneResult:
    """What came of a retuning.

    Args:
        outcome: `promoted`; `refused` by the gate; `declined` by a person; `skipped` early.
        reason: Reason, in a sentence.
        version: Version of the champion that was made.
        search: Name of the search; empty where none was made.
        gate: Run of the comparison in MLflow.
    """

    outcome: Outcome
    reason: str
    version: int | None = None
    search: str = ""
    gate: str = ""


@flow(name="retune", flow_run_name=after_the_study)
def retune(
    study: str,
    data: str,
    database: DatabaseGiven | None = None,
    newest: Least = 1,
    reason: str = "",
    strategy: str | None = None,
    trials: Least | None = None,
    finals: Least = 3,
    seeds: Least = 3,
    aside: Annotated[float, Field(gt=0, lt=1)] = 0.25,
    margin: AtLeastZero = 0.0,
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95,
    tolerance: AtLeastZero = 0.0,
    approve: Literal["automatic", "human"] = "automatic",
    patience_minutes: Annotated[float, Field(gt=0)] = 24 * 60.0,
    cool_down_minutes: AtLeastZero = 60.0,
) -> RetuneResult | State[RetuneResult]:
    """Search a study on fresh data, and replace its champion if that is proved better.

    A share of the rows is set aside by their content, for good: neither the search nor the
    training sees them, now or later. The best few of the search are trained again with several
    seeds; the best of the best configuration is the challenger. It replaces the champion only if
    the whole bootstrap interval of its gain on those rows is above the margin.

    Args:
        study: A YAML file (absolute, or relative to the working directory or to NETTUNER_HOME),
            or the name of a study that was searched before.
        data: The labelled rows to search on: a file or a pattern (`in/*.csv`), relative to
            NETTUNER_HOME; or, with `database`, an SQL query.
        database: SQLAlchemy's address of the database, where `data` is a query; `${NAME}` in the
            place of its password, which is in the environment variable NAME.
        newest: Number of files to read of those that match, the newest.
        reason: Reason for the retuning; kept with the version.
        strategy: Search with this one instead of the study's: a file of tasks/strategies.
        trials: Search so many trials instead of the study's.
        finals: The best so many of the search are trained again.
        seeds: Each of them with so many seeds.
        aside: Share of the rows that only the comparison sees.
        margin: Gain that the challenger must show, in the unit of the metric.
        confidence: Confidence level of the bootstrap interval of its gain.
        tolerance: Loss beyond what was proved that the new champion may show in a check.
        approve: `human` if a person has to agree, in the form that the paused run shows.
        patience_minutes: Minutes that a person has; no answer means no.
        cool_down_minutes: After one retuning of a study, so long none begins.
    """
    asked, source = with_data(study)
    _check_model(asked)
    late = superseded()
    if late is not None:
        return _left("stale", late)
    try:
        with one_at_a_time("retune", asked.name):
            waiting = cooling(store.client(), asked.name, cool_down_minutes)
            if waiting is not None:
                return _left("cooling down", waiting)
            incoming = incoming_rows(data, source, database, newest)
            fresh = freeze(asked, incoming, aside, task_of(source))
            searched = _search(fresh.study, strategy, trials, finals, seeds)
            challenger = Challenger(
                fresh.study.name,
                fresh.task,
                fresh.study.metric,
                searched.run_id,
                fresh.reference,
                fresh.fingerprint,
            )
            retuned(store.client(), asked.name)
            compared = compare.submit(
                plain(challenger),
                plain(fresh.aside),
                margin,
                confidence,
                reason,
                return_state=False,
            )
            return _decided(compared, searched, reason, tolerance, approve, patience_minutes)
    except BusyError as error:
        return _left("already running", str(error))


def _check_model(study: Study) -> None:
    """Refuse a study whose winner is no model that can be compared and served.

    Raises:
        ValueError: It trains by a loop of its own.
    """
    if ":" in study.learner and make_plan(study).kind == "loop":
        raise ValueError(
            f"a retuning replaces a model, got the study {study.name!r} of a loop of its own, "
            "which has a state instead; search it, or make its network a learner"
        )


def _left(outcome: str, why: str) -> State[RetuneResult]:
    get_run_logger().warning("leaving early: %s", why)
    return ended(outcome, why, RetuneResult("skipped", why))


def _search(
    study: Study, strategy: str | None, trials: int | None, finals: int, seeds: int
) -> SearchResult:
    """Search the fresh data; a Bayesian search begins from the study's earlier ones."""
    study = study.model_copy(update={"finals": finals, "finals_seeds": seeds})
    chosen = using(study, strategy) if strategy else study
    if "warm_start" in getattr(strategies.find(chosen.strategy.name), "model_fields", {}):
        settings = {"warm_start": True, **chosen.strategy.settings}
        warm = StrategyChoice(name=chosen.strategy.name, **settings)
        chosen = chosen.model_copy(update={"strategy": warm})
    if trials is not None:
        chosen = chosen.model_copy(
            update={"stop": chosen.stop.model_copy(update={"trials": trials})}
        )
    return flow_of(strategies.full_name(chosen.strategy.name))(chosen)


@task(name="compare", task_run_name="champion-against-challenger", cache_policy=NO_CACHE)
def compare(
    challenger: Challenger, held_out: Labelled, margin: float, confidence: float, why: str
) -> Comparison:
    """Compare the challenger with the champion, as a node of the DAG."""
    comparison = comparing.compare(
        store.client(), challenger, held_out, margin=margin, confidence=confidence, why=why
    )
    get_run_logger().info("%s", comparison.reason)
    return comparison


@task(name="promote", task_run_name="promote", cache_policy=NO_CACHE)
def promote(comparison: Comparison, why: str, tolerance: float) -> Version:
    """Make the challenger the champion, as a node of the DAG."""
    return promoting.promote(store.client(), comparison, why, tolerance=tolerance)


def _decided(
    compared: PrefectFuture[Comparison],
    searched: SearchResult,
    reason: str,
    tolerance: float,
    approve: str,
    patience_minutes: float,
) -> State[RetuneResult]:
    comparison = compared.result()
    told = RetuneResult("refused", comparison.reason, None, searched.name, comparison.run_id)
    study = comparison.challenger.study
    if not comparison.verdict.passed:
        return _told(comparison, replace(told, reason=f"not proved better: {comparison.reason}"))
    why = reason
    if approve == "human":
        said = ask(f"**{comparison.reason}**\n\nPromote the challenger?", patience_minutes)
        if not said.promote:
            return _told(comparison, replace(told, outcome="declined", reason=said.refusal))
        why = "; ".join(filter(None, (reason, said.agreement)))
    version = promote.submit(
        plain(comparison), why, tolerance, return_state=False, wait_for=[compared]
    ).result()
    tell(
        PROMOTED,
        study,
        {"study": study, "version": version.number, "reason": version.tags[names.REASON]},
    )
    return _told(comparison, replace(told, outcome="promoted", version=version.number))


def _told(comparison: Comparison, result: RetuneResult) -> State[RetuneResult]:
    study = comparison.challenger.study
    if result.outcome != "promoted":
        tell(REFUSED, study, {"study": study, "reason": result.reason})
    create_markdown_artifact(
        f"**{result.outcome}**: {result.reason}\n\n[The comparison in MLflow]({comparison.url})",
        key="retune-result",
        description=f"{study}: what came of the retuning",
    )
    return ended(result.outcome, result.reason, result)
