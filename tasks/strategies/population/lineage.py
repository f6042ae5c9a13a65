"""The copies made in a population, and the hyperparameter schedule of its winner."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nettuner.models.space import Params, Value, same
from nettuner.models.study import Goal, Study, Trial

if TYPE_CHECKING:
    import pandas as pd

Changes = Mapping[str, tuple[Value | None, Value | None]]


@dataclass(frozen=True)
class Copy:
    """One member continuing from another's weights.

    Args:
        number: Number of the trial that continued from the copy.
        until: Rounds trained at the time of the copy.
        member: Member that copied.
        source: Member that was copied.
        score: Score of `member` at that time, lower is better; None if it failed.
        source_score: Score of `source` at that time.
        changed: Hyperparameters that explore changed, as (value of the source, value of the copy);
            None where one is inactive.
    """

    number: int
    until: int
    member: int
    source: int
    score: float | None
    source_score: float | None
    changed: Changes = field(default_factory=dict)


@dataclass(frozen=True)
class Phase:
    """Consecutive rounds of training with the same hyperparameters.

    Args:
        first: First round, counted from 0.
        until: Rounds trained by its end.
        params: Hyperparameters.
    """

    first: int
    until: int
    params: Params


def lineage(trials: Iterable[Trial]) -> list[Copy]:
    """All copies, sorted by round and member."""
    known = {trial.number: trial for trial in trials}
    at = {(trial.proposal.member, trial.proposal.until): trial for trial in known.values()}
    found = []
    for trial in known.values():
        member, parent = trial.proposal.member, known.get(_parent(trial))
        if member is None or parent is None or parent.proposal.member in (None, member):
            continue
        before = at.get((member, parent.proposal.until))
        found.append(
            Copy(
                number=trial.number,
                until=_until(parent),
                member=member,
                source=int(parent.proposal.member or 0),
                score=before.score if before and before.succeeded else None,
                source_score=parent.score,
                changed=changes(parent.proposal.params, trial.proposal.params),
            )
        )
    return sorted(found, key=lambda copy: (copy.until, copy.member))


def changes(before: Params, after: Params) -> dict[str, tuple[Value | None, Value | None]]:
    """The hyperparameters that differ, each as (before, after)."""
    return {
        name: (before.get(name), after.get(name))
        for name in {**before, **after}
        if not same(before.get(name), after.get(name))
    }


def ancestry(trials: Iterable[Trial], winner: Trial | int) -> list[Trial]:
    """The chain of trials that the winner's weights come from, first segment to winner.

    Raises:
        ValueError: The winner or one of its ancestors is not among the trials.
    """
    known = {trial.number: trial for trial in trials}
    number = winner if isinstance(winner, int) else winner.number
    if number not in known:
        raise ValueError(
            f"the winner must be one of the {len(known)} trials, got trial {number}; "
            "give the whole history"
        )
    chain = [known[number]]
    while (parent := chain[-1].proposal.parent) is not None:
        if parent not in known or parent >= chain[-1].number:
            raise ValueError(
                f"trial {chain[-1].number} must continue from an earlier one of the trials, "
                f"got trial {parent}; give the whole history"
            )
        chain.append(known[parent])
    return chain[::-1]


def schedule(trials: Iterable[Trial], winner: Trial | int) -> list[Phase]:
    """The winner's schedule for a replay; segments with the same hyperparameters are merged.

    Raises:
        ValueError: The winner or one of its ancestors is not among the trials.
    """
    found: list[Phase] = []
    first = 0
    for trial in ancestry(trials, winner):
        until, params = _until(trial), trial.proposal.params
        if found and not changes(found[-1].params, params):
            found[-1] = Phase(found[-1].first, until, params)
        else:
            found.append(Phase(first, until, params))
        first = until
    return found


def table(
    copies: Sequence[Copy], trials: Iterable[Trial], study: Study, goal: Goal
) -> pd.DataFrame:
    """One row per copy: step, member, copied member, both metrics, and what explore changed.

    For each hyperparameter that any copy changed there are two columns: the member's own value
    before the copy, and the value it continued with.
    """
    import pandas as pd

    known = {(trial.proposal.member, trial.proposal.until): trial for trial in trials}
    at_number = {trial.number: trial for trial in known.values()}
    names = {name: None for copy in copies for name in copy.changed}
    step = "after step" if study.steps else "after epoch"
    columns = [step, "member", "copied member", f"its {goal.metric}", f"copied {goal.metric}"]
    columns += [f"{name} {when}" for name in names for when in ("before", "after")]
    rows = []
    for copy in copies:
        before = known.get((copy.member, copy.until))
        values = [
            trial.proposal.params.get(name) if trial else None
            for name in names
            for trial in (before, at_number.get(copy.number))
        ]
        scores = (copy.score, copy.source_score)
        metrics = [None if score is None else goal.value(score) for score in scores]
        when = study.step_after(copy.until)
        rows.append([when, copy.member, copy.source, *metrics, *values, in_words(copy)])
    return pd.DataFrame(rows, columns=[*columns, "explored"])


def in_words(copy: Copy) -> str:
    """What a copy changed: `rate 0.1 -> 0.125, depth 2 -> 3`."""
    return ", ".join(
        f"{name} {_word(before)} -> {_word(after)}"
        for name, (before, after) in copy.changed.items()
    )


def _word(value: Value | None) -> str:
    if value is None:
        return "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _parent(trial: Trial) -> int:
    return -1 if trial.proposal.parent is None else trial.proposal.parent


def _until(trial: Trial) -> int:
    """Rounds trained by the end of a trial: as proposed, or else as trained."""
    return trial.rounds if trial.proposal.until is None else trial.proposal.until
