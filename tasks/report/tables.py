"""Tables and plots of the results of searches."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from nettuner.models.spread import DEVIATION
from nettuner.models.study import Goal, Trial

if TYPE_CHECKING:
    from nettuner.tasks.memory.recall import PastSearch
    from nettuner.tasks.memory.trial_tags import Final

# Our columns of a table of trials; theirs are renamed where these names are taken.
OURS = (
    "search",
    "trial",
    "member",
    "parent",
    "trainings",
    "final",
    "final_std",
    "rounds",
    "seconds",
    "device",
    "peak_memory_mib",
    "gpu_utilisation",
    "stopped",
    "failed",
)


def trials_table(search: PastSearch) -> pd.DataFrame:
    """One row per trial, best first, failures last; before all others those in the finals.

    Of a configuration that was continued, the row has its best score and all that it trained;
    `stopped` says why a trial was not trained to its end. Where a trial had several trainings, the
    metric is their mean, with its standard deviation and their number beside it; `final` and
    `final_std` are mean and standard deviation in the finals. Columns are ours, the metric, and
    hyperparameters, which are called `hyperparameter.NAME` (the metric `metric.NAME`) where the
    plain name is taken.
    """
    metric = f"metric.{search.goal.metric}" if search.goal.metric in OURS else search.goal.metric
    finals = {final.number: final for final in search.finals}
    rows = [
        {**_row(trial, search.goal, metric, finals.get(trial.number)), **_ending(trial, search)}
        for trial in search.networks
    ]
    table = pd.DataFrame(rows)
    if table.empty:
        return table
    ascending = search.goal.direction == "minimize"
    table["place"] = table["trial"].map({final.number: k for k, final in enumerate(search.finals)})
    ordered = table.sort_values(
        ["place", metric, "trial"], ascending=[True, ascending, True], na_position="last"
    ).drop(columns="place")
    ordered.insert(0, "search", search.name)
    return ordered.dropna(axis="columns", how="all").reset_index(drop=True)


def failures_table(search: PastSearch) -> pd.DataFrame:
    """One row per failed trial, in the order in which they ended, with its reason.

    Columns are those of `trials_table`, without metrics.
    """
    failed = [trial for trial in search.trials if not trial.succeeded]
    rows = [
        {"search": search.name, **_row(trial, search.goal, "", None), "failed": why(trial)}
        for trial in failed
    ]
    table = pd.DataFrame(rows)
    return table if table.empty else table.dropna(axis="columns", how="all")


def why(trial: Trial) -> str:
    """Why a trial failed."""
    return trial.reason or "its metric is not finite"


def _row(trial: Trial, goal: Goal, metric: str, final: Final | None) -> dict[str, Any]:
    proposal = trial.proposal
    taken = {*OURS, metric, f"{metric}{DEVIATION}"}
    decided = final.applied_to(trial) if final else None
    return {
        "trial": trial.number,
        "member": proposal.member,
        "parent": proposal.parent,
        metric: None if trial.score is None else goal.value(trial.score),
        f"{metric}{DEVIATION}": trial.spread,
        "trainings": len(trial.scores) or None,
        "final": goal.value(decided.score) if decided and decided.score is not None else None,
        "final_std": decided.spread if decided else None,
        **{f"hyperparameter.{n}" if n in taken else n: v for n, v in proposal.params.items()},
        "rounds": trial.rounds,
        "seconds": round(trial.seconds, 2),
        "device": trial.device,
        "peak_memory_mib": trial.peak_mib,
        "gpu_utilisation": trial.utilisation,
    }


def _ending(trial: Trial, search: PastSearch) -> dict[str, str | None]:
    """Why a trial was not trained to its end."""
    return {"stopped": stopped_early(trial, search), "failed": trial.reason}


def stopped_early(trial: Trial, search: PastSearch) -> str | None:
    """Why a trial was stopped early; None if it was not."""
    if trial.stopped is not None:
        return trial.stopped
    is_paused = search.networks is not search.trials and trial.proposal.member is not None
    if is_paused and trial.succeeded and trial.rounds < search.rounds:
        return f"at {trial.rounds} others were better"
    return None


def studies_table(studies: Mapping[str, Sequence[PastSearch]]) -> pd.DataFrame:
    """One row per study, the one that was searched last first: its searches and its best."""
    rows = [
        {
            "study": name,
            "searches": len(searches),
            "strategies": ", ".join(dict.fromkeys(search.strategy for search in searches)),
            "last": time.strftime("%Y-%m-%d %H:%M", time.localtime(searches[-1].began)),
            "status": searches[-1].status.lower(),
            **_best_of(searches),
        }
        for name, searches in reversed([*studies.items()])
    ]
    columns = ["study", "searches", "strategies", "last", "status", "metric", "best", "by"]
    return pd.DataFrame(rows, columns=columns)


def _best_of(searches: Sequence[PastSearch]) -> dict[str, Any]:
    """The best of the searches that had the metric of the last one, and which that was."""
    goal = searches[-1].goal
    alike = [s for s in searches if s.goal == goal and s.recorded_best is not None]
    if not alike:
        return {"metric": goal.metric, "best": None, "by": None}
    sign = 1 if goal.direction == "minimize" else -1
    found = min(alike, key=lambda search: sign * (search.recorded_best or 0.0))
    return {"metric": goal.metric, "best": found.recorded_best, "by": found.name}


def latest_of_each_strategy(searches: Sequence[PastSearch]) -> list[PastSearch]:
    """The newest search of each strategy that has a result, best first."""
    newest: dict[str, tuple[float, PastSearch]] = {}
    for search in reversed(searches):
        if search.strategy in newest:
            continue  # its trials need not be read
        winner = search.winner
        if winner is not None and winner.score is not None:
            newest[search.strategy] = winner.score, search
    return [search for _, search in sorted(newest.values(), key=lambda found: found[0])]


def to_report(searches: Sequence[PastSearch], name: str | None) -> list[PastSearch]:
    """The search of this name; without one the latest of each strategy, the best first.

    Args:
        searches: Searches of a study, the oldest first.
        name: Name of a search, or the id of its run; None for no certain one.

    Raises:
        ValueError: There is none.
    """
    if name is not None:
        found = [search for search in searches if name in (search.name, search.run_id)]
        if not found:
            known = ", ".join(repr(search.name) for search in searches[-5:]) or "none"
            raise ValueError(f"it has no search {name!r}; its latest are: {known}")
        return found[-1:]
    found = latest_of_each_strategy(searches) or list(searches[-1:])
    if not found:
        raise ValueError("no search of it has begun so far; search it first")
    return found


def comparison(searches: Sequence[PastSearch]) -> pd.DataFrame:
    """One row per search: its result and its cost."""
    return pd.DataFrame([_summary(search) for search in searches])


def _summary(search: PastSearch) -> dict[str, Any]:
    winner = search.winner
    assert winner is not None
    assert winner.score is not None
    networks = {
        trial.number if trial.proposal.member is None else trial.proposal.member: trial
        for trial in search.trials
    }
    spread = {} if winner.spread is None else {f"{search.goal.metric}{DEVIATION}": winner.spread}
    decided = {"finals": f"{len(search.finals)} trained again"} if search.finals else {}
    stopped = sum(stopped_early(trial, search) is not None for trial in search.networks)
    return {
        "strategy": search.strategy,
        f"best {search.goal.metric}": search.goal.value(winner.score),
        **spread,
        **_of_validation(winner, search.goal),
        **search.test,
        **decided,
        "networks": sum(len(trial.scores) or 1 for trial in networks.values()),
        "failed": sum(not trial.succeeded for trial in search.trials),
        **({"stopped": stopped} if stopped else {}),
        f"{search.unit} trained": sum(trial.rounds for trial in search.trials),
        "seconds": max(trial.ended for trial in search.trials),
        "status": search.status.lower(),
    }


def _of_validation(winner: Trial, goal: Goal) -> dict[str, float]:
    """The winner's other metrics on the validation rows."""
    return {
        name: value
        for name, value in winner.metrics.items()
        if name.startswith("val_") and name != goal.metric
    }


def curve(search: PastSearch) -> pd.DataFrame:
    """Best so far after each trial that ended, by training spent and by seconds.

    Returns:
        Columns `trained` (rounds trained, in whole trials), `seconds` since the first training
        began and `best`.
    """
    table = pd.DataFrame(
        {
            "rounds": [trial.rounds for trial in search.trials],
            "seconds": [trial.ended for trial in search.trials],
            "trainings": [len(trial.scores) or 1 for trial in search.trials],
            "score": [trial.score if trial.succeeded else float("nan") for trial in search.trials],
        }
    )
    per_trial = search.rounds or 1
    networks = table["rounds"] / per_trial if search.rounds else table["trainings"] * 1.0
    scores = table["score"].cummin().ffill()
    return pd.DataFrame(
        {
            "trained": networks.cumsum(),
            "seconds": table["seconds"] - first_training(search.trials),
            "best": scores.map(search.goal.value),
        }
    )


def first_training(trials: Sequence[Trial]) -> float:
    """When the first training began, counted from the start of the search [s].

    Trials of a stack have the same share of its seconds, so those with the same count together.
    """
    of_stack: dict[float, list[float]] = {}
    for trial in trials:
        of_stack.setdefault(trial.seconds, []).append(trial.ended)
    began = (max(ended) - seconds * len(ended) for seconds, ended in of_stack.items() if seconds)
    return max(0.0, min(began, default=0.0))
