"""When a search ends: the first of a study's stop rules that is met, as a sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nettuner.models.study import Goal, Stop, Trial


def reason_to_stop(
    stop: Stop, goal: Goal, history: Sequence[Trial], best: Trial | None, seconds: float
) -> str | None:
    """The first rule that is met; None while none is.

    The number of trials is limited elsewhere: where they are proposed.

    Args:
        stop: Stop rules of the study.
        goal: Metric and direction of the target.
        history: Trials in the order in which they ended.
        best: Best trial so far; None if none succeeded.
        seconds: Wall time of the search so far [s].
    """
    if stop.seconds is not None and seconds >= stop.seconds:
        return f"{stop.seconds:g} s have passed (stop.seconds)"
    if best is None or best.score is None:
        return None
    if stop.target is not None and best.score <= goal.score({goal.metric: stop.target}):
        return f"{goal.metric} reached {stop.target:g} (stop.target)"
    if stop.patience is not None and _since(history, lambda t: t is best) >= stop.patience:
        return f"{stop.patience} trials brought no new best (stop.patience)"
    return None


def reason_to_give_up(stop: Stop, history: Sequence[Trial]) -> str | None:
    """Why the search gives up: too many failed trials in a row; None while there are fewer.

    Args:
        stop: Stop rules of the study.
        history: Trials in the order in which they ended.
    """
    failed = _since(history, lambda trial: trial.succeeded)
    if failed < stop.failures:
        return None
    return (
        f"{failed} trials in a row failed (stop.failures), the last one because "
        f"{history[-1].reason}"
    )


def _since(history: Sequence[Trial], event: Callable[[Trial], bool]) -> int:
    """How many trials ended since the latest for which `event` holds."""
    count = 0
    for trial in reversed(history):
        if event(trial):
            break
        count += 1
    return count
