"""Results of searches and replays as pages, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from nettuner.models.study import Goal, Study, Trial, best
from nettuner.tasks.training.finals import scores_of

if TYPE_CHECKING:
    from nettuner.tasks.memory.recall import PastSearch


def replay_as_markdown(
    study: Study,
    goal: Goal,
    trials: Sequence[Trial],
    test: Mapping[str, float],
    replayed: PastSearch,
) -> str:
    """The result of a replay as a page: metrics beside the original's, and the schedule."""
    names = study.space.names()
    original = replayed.winner
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
    ranked: Sequence[Trial] = (),
) -> str:
    """The result of a search as a page: winner, test metrics, top trials.

    Args:
        study: Study that was searched.
        goal: Metric and direction.
        trials: All trials.
        winner: Best trial, or the one that won the finals.
        test: Its metrics on the test rows.
        ended: Why the search ended.
        ranked: Trials with their scores in the finals, the best first; empty without finals.
    """
    failed = sum(not trial.succeeded for trial in trials)
    chance = None if ranked else luck(goal, trials, winner)
    lines = [
        f"**Best {goal.metric}: {goal.shown(winner)}** (trial {winner.number} of "
        f"{len(trials)}, {failed} failed). Ended because {ended}.",
        "",
        *([finals_as_markdown(study, goal, ranked), ""] if ranked else []),
        *([f"{chance[0].upper()}{chance[1:]}.", ""] if chance else []),
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
        cells = [str(trial.number), goal.shown(trial), f"{trial.seconds:.1f}", *params]
        lines.append(_line(*cells))
    return "\n".join(lines)


def luck(goal: Goal, trials: Sequence[Trial], winner: Trial) -> str | None:
    """Why another trial than that with the best score is the winner; None where it is that one."""
    top = best(trials)
    if top is None or top.number == winner.number:
        return None
    return (
        f"trial {top.number} had {goal.shown(top)}, but trials vary by chance, and more is "
        f"expected of trial {winner.number}"
    )


def finals_as_markdown(study: Study, goal: Goal, ranked: Sequence[Trial]) -> str:
    """What came of the finals as a table, the best first.

    Args:
        study: Study that was searched.
        goal: Metric and direction.
        ranked: Trials with their scores in the finals, the best first.
    """
    names = study.space.names()
    best_by = "the best mean" if study.finals_seeds > 1 else "the best"
    lines = [
        f"Finals decided: the best {len(ranked)} were trained again with {study.finals_seeds} "
        f"other seeds each, and {best_by} wins.",
        "",
        f"| finalist | {goal.metric} in the finals | with each seed | " + " | ".join(names) + " |",
        "| --- | --- | --- | " + " | ".join("---" for _ in names) + " |",
    ]
    for trial in ranked:
        params = [str(trial.proposal.params.get(name, "")) for name in names]
        scores = trial.scores or scores_of([trial])
        each = ", ".join(f"{goal.value(score):.6g}" for score in scores)
        lines.append(_line(f"trial {trial.number}", goal.shown(trial), each, *params))
    return "\n".join(lines)


def _line(*cells: object) -> str:
    """A line of a Markdown table; bars and line breaks in a cell would end it."""
    texts = [" ".join(str(cell).split("\n")).replace("|", "\\|") for cell in cells]
    return "| " + " | ".join(texts) + " |"
