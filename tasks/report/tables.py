"""Tables and plots of the results of searches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from nettuner.models.study import Goal, Trial, best
from nettuner.tasks.report.axes import COLOURS, scale

if TYPE_CHECKING:
    from nettuner.tasks.memory.recall import PastSearch

# Our columns of a table of trials; theirs are renamed where these names are taken.
OURS = ("search", "trial", "member", "parent", "rounds", "seconds", "failed")


def trials_table(search: PastSearch) -> pd.DataFrame:
    """One row per trial, best first, failures last.

    Columns are ours, the metric, and hyperparameters, which are called `hyperparameter.NAME` (the
    metric `metric.NAME`) where the plain name is taken.
    """
    metric = f"metric.{search.goal.metric}" if search.goal.metric in OURS else search.goal.metric
    rows = [_row(trial, search.goal, metric) for trial in search.trials]
    table = pd.DataFrame(rows)
    if table.empty:
        return table
    ascending = search.goal.direction == "minimize"
    ordered = table.sort_values([metric, "trial"], ascending=[ascending, True], na_position="last")
    ordered.insert(0, "search", search.name)
    return ordered.dropna(axis="columns", how="all").reset_index(drop=True)


def _row(trial: Trial, goal: Goal, metric: str) -> dict[str, Any]:
    proposal = trial.proposal
    taken = {*OURS, metric}
    return {
        "trial": trial.number,
        "member": proposal.member,
        "parent": proposal.parent,
        metric: None if trial.score is None else goal.value(trial.score),
        **{f"hyperparameter.{n}" if n in taken else n: v for n, v in proposal.params.items()},
        "rounds": trial.rounds,
        "seconds": round(trial.seconds, 2),
        "failed": trial.reason,
    }


def latest_of_each_strategy(searches: Sequence[PastSearch]) -> list[PastSearch]:
    """The newest search of each strategy that has a result, best first."""
    newest: dict[str, tuple[float, PastSearch]] = {}
    for search in reversed(searches):
        if search.strategy in newest:
            continue  # its trials need not be read
        winner = best(search.trials)
        if winner is not None and winner.score is not None:
            newest[search.strategy] = winner.score, search
    return [search for _, search in sorted(newest.values(), key=lambda found: found[0])]


def comparison(searches: Sequence[PastSearch]) -> pd.DataFrame:
    """One row per search: its result and its cost."""
    return pd.DataFrame([_summary(search) for search in searches])


def _summary(search: PastSearch) -> dict[str, Any]:
    winner = best(search.trials)
    assert winner is not None
    assert winner.score is not None
    networks = {
        trial.number if trial.proposal.member is None else trial.proposal.member
        for trial in search.trials
    }
    return {
        "strategy": search.strategy,
        f"best {search.goal.metric}": search.goal.value(winner.score),
        **_of_validation(winner, search.goal),
        **search.test,
        "networks": len(networks),
        "failed": sum(not trial.succeeded for trial in search.trials),
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
        Columns `trained` (rounds trained, in whole trials), `seconds` and `best`.
    """
    table = pd.DataFrame(
        {
            "rounds": [trial.rounds for trial in search.trials],
            "seconds": [trial.ended for trial in search.trials],
            "score": [trial.score if trial.succeeded else float("nan") for trial in search.trials],
        }
    )
    per_trial = search.rounds or 1
    trained = table["rounds"].cumsum() / per_trial if search.rounds else table.index + 1.0
    scores = table["score"].cummin().ffill()
    return pd.DataFrame(
        {
            "trained": trained,
            "seconds": table["seconds"],
            "best": scores.map(search.goal.value),
        }
    )


def plot(searches: Sequence[PastSearch], path: Path, title: str) -> None:
    """Draw best so far against training spent and against time, one line per strategy."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, sharey=True)
    goal, rounds, unit = searches[0].goal, searches[0].rounds, searches[0].unit
    bests = []
    for search in searches:
        points = curve(search)
        bests += points["best"].dropna().tolist()
        colour = COLOURS.get(search.strategy)
        for axes, column in ((left, "trained"), (right, "seconds")):
            axes.step(
                points[column],
                points["best"],
                where="post",
                label=search.strategy.replace("_", " "),
                color=colour,
                linewidth=2,
            )
            axes.plot(points[column].iloc[-1:], points["best"].iloc[-1:], "o", color=colour)
    scale(left, bests, goal)
    length = f" ({rounds} {unit} each)" if rounds else ""
    left.set(xlabel=f"networks trained{length}", ylabel=f"best {goal.metric} so far")
    right.set(xlabel="seconds since the search began")
    for axes in (left, right):
        axes.grid(alpha=0.25, which="both")
        axes.set_xlim(left=0)
        axes.spines[["top", "right"]].set_visible(False)
    place = "lower right" if goal.direction == "maximize" else "upper right"
    right.legend(frameon=False, loc=place)
    figure.suptitle(title)
    figure.savefig(path, dpi=150)
