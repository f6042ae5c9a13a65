"""Tables and plots of the results of searches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from nettuner.models.study import Goal, Study, Trial, best

if TYPE_CHECKING:
    from nettuner.tasks.memory.recall import PastSearch

# From the colour-blind safe palette of Okabe and Ito (2008).
COLOURS = {
    "grid_search": "#E69F00",
    "random_search": "#56B4E9",
    "bayesian": "#009E73",
    "population": "#CC79A7",
}


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


def scale(axes: Any, values: Sequence[float], goal: Goal) -> None:
    """Scale the axis: logarithmic for losses, else limited to the better trials."""
    ordered = pd.Series(values)
    if goal.direction == "minimize" and 0 < 5 * ordered.min() < ordered.max():
        axes.set_yscale("log")
        return
    if goal.direction == "maximize":
        low, high = float(ordered.quantile(0.1)), float(ordered.max())
    else:
        low, high = float(ordered.min()), float(ordered.quantile(0.9))
    margin = (high - low) * 0.08 or abs(high) * 0.01 or 1.0
    axes.set_ylim(low - margin, high + margin)


def replay_as_markdown(
    study: Study,
    goal: Goal,
    trials: Sequence[Trial],
    test: Mapping[str, float],
    replayed: PastSearch,
) -> str:
    """The result of a replay as a page: metrics beside the original's, and the schedule."""
    names = study.space.names()
    original = best(replayed.trials)
    assert original is not None
    lines = [
        f"**{goal.metric}: {goal.value(trials[-1].score or 0.0):.6g}**, trained from scratch on "
        f"the schedule of member {original.proposal.member} of {replayed.name}, which had "
        f"{goal.value(original.score or 0.0):.6g}.",
        "",
        *[f"- {name}: {value:.6g} (test rows, measured once)" for name, value in test.items()],
        "",
        f"| until ({study.unit}) | {goal.metric} | " + " | ".join(names) + " |",
        "| --- | --- | " + " | ".join("---" for _ in names) + " |",
    ]
    for trial in trials:
        params = [str(trial.proposal.params.get(name, "")) for name in names]
        value = f"{goal.value(trial.score or 0.0):.6g}"
        lines.append(_line(trial.proposal.until, value, *params))
    return "\n".join(lines)


def search_as_markdown(
    study: Study,
    goal: Goal,
    trials: Sequence[Trial],
    winner: Trial,
    test: Mapping[str, float],
    ended: str,
) -> str:
    """The result of a search as a page: winner, test metrics, top trials."""
    assert winner.score is not None
    failed = sum(not trial.succeeded for trial in trials)
    lines = [
        f"**Best {goal.metric}: {goal.value(winner.score):.6g}** (trial {winner.number} of "
        f"{len(trials)}, {failed} failed). Ended because {ended}.",
        "",
        *[f"- {name}: {value:.6g} (test rows, measured once)" for name, value in test.items()],
        "",
        "| hyperparameter | best value |",
        "| --- | --- |",
        *[_line(name, value) for name, value in winner.proposal.params.items()],
        "",
        f"| trial | {goal.metric} | seconds | " + " | ".join(study.space.names()) + " |",
        "| --- | --- | --- | " + " | ".join("---" for _ in study.space.names()) + " |",
    ]
    top = sorted(
        (trial for trial in trials if trial.succeeded), key=lambda trial: trial.score or 0.0
    )
    for trial in top[:10]:
        params = [str(trial.proposal.params.get(name, "")) for name in study.space.names()]
        value = goal.value(trial.score or 0.0)
        cells = [str(trial.number), f"{value:.6g}", f"{trial.seconds:.1f}", *params]
        lines.append(_line(*cells))
    return "\n".join(lines)


def _line(*cells: object) -> str:
    """A line of a Markdown table; bars and line breaks in a cell would end it."""
    texts = [" ".join(str(cell).split("\n")).replace("|", "\\|") for cell in cells]
    return "| " + " | ".join(texts) + " |"
