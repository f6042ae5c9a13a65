"""Results of searches and replays as pages, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from nettuner.models.study import Goal, Study, Trial, best

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
