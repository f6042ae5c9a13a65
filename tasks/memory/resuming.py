"""Opens an interrupted search again, with what is recorded of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nettuner.models.study import Goal, Trial, best
from nettuner.tasks.home import tracking_uri
from nettuner.tasks.memory import search_record
from nettuner.tasks.memory import tags as names
from nettuner.tasks.memory.left_over import send_left_over
from nettuner.tasks.memory.recall import UNFINISHED, PastSearch, searches

if TYPE_CHECKING:
    from mlflow import MlflowClient


def to_resume(mlflow: MlflowClient, study: str, facts: search_record.Facts) -> PastSearch:
    """The latest search of this strategy that was interrupted, or failed, and can go on.

    Its trials are not read yet: whoever still runs it may go on until it is held.

    Raises:
        ValueError: There is none, or the study was changed since.
    """
    open_ones = [
        search
        for search in searches(mlflow, study)
        if search.strategy == facts.strategy and search.status in UNFINISHED
    ]
    if not open_ones:
        raise ValueError(
            f"no {facts.strategy} search of {study!r} was interrupted or failed; start one without "
            "--resume"
        )
    past = open_ones[-1]
    if past.digest != facts.digest:
        raise ValueError(
            f"the study {study!r} was changed since {past.name!r} was interrupted; "
            "undo the change (stop rules and width may differ) or start without --resume"
        )
    return past


def resume(
    mlflow: MlflowClient, past: PastSearch, goal: Goal, facts: search_record.Facts
) -> tuple[search_record.SearchRecord, float]:
    """Open a search again.

    Args:
        mlflow: MLflow client.
        past: Search, held by this process.
        goal: Metric and direction.
        facts: Facts of its flow run now.

    Returns:
        Its record, and the seconds it had run.

    Raises:
        ValueError: It has ended meanwhile, or its best weights are gone.
    """
    send_left_over(tracking_uri())  # it may have been killed after it was found
    if mlflow.get_run(past.run_id).info.status == "FINISHED":
        raise ValueError(f"{past.name!r} must be unfinished to go on, got one that has just ended")
    _check_weights(past)
    for run_id in past.unfinished:
        mlflow.set_tag(run_id, names.REASON, "interrupted; the trial was asked for again")
        mlflow.set_terminated(run_id, "KILLED")
    for run_id in (past.run_id, *past.members.values()):
        _forget_interruption(mlflow, run_id)
    mlflow.update_run(past.run_id, status="RUNNING")
    record = search_record.SearchRecord(
        mlflow, search_record.Opened.again(mlflow.get_run(past.run_id)), goal, facts
    )
    record.link(facts.prefect_run)
    latest = {t.proposal.member: t for t in sorted(past.trials, key=lambda t: t.number)}
    for member, run_id in past.members.items():
        if member in latest:
            if facts.continues == "others" or _may_go_on(latest[member], past.rounds):
                record.adopt(member, run_id, latest[member].proposal)
        else:  # it was begun and never ended a segment: it is begun anew
            mlflow.set_terminated(run_id, "KILLED")
    spent = max((trial.ended for trial in past.trials), default=0.0)
    return record, spent


def _may_go_on(trial: Trial, rounds: int) -> bool:
    return trial.succeeded and trial.proposal.until != rounds


def _forget_interruption(mlflow: MlflowClient, run_id: str) -> None:
    """A run that goes on no longer has a reason to have ended."""
    run = mlflow.get_run(run_id)
    if run.info.status in UNFINISHED and names.REASON in run.data.tags:
        mlflow.delete_tag(run_id, names.REASON)


def _check_weights(past: PastSearch) -> None:
    """Refuse to go on where the best trial's weights were deleted.

    Raises:
        ValueError: The weights are gone.
    """
    winner = best(past.trials)
    if winner and winner.checkpoint and not Path(winner.checkpoint).is_file():
        raise ValueError(
            f"the weights of trial {winner.number} of {past.name!r} must be there to go on, got "
            f"no {winner.checkpoint}; restore them, or start without --resume"
        )
