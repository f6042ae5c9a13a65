"""Prefect task that evaluates the winner on the test rows, once, and logs its model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from prefect import task
from prefect.cache_policies import NO_CACHE

from nettuner.models.by_name import ByName
from nettuner.models.study import Trial
from nettuner.models.training.job import data_of
from nettuner.tasks.workers.places import STORE

if TYPE_CHECKING:
    from nettuner.tasks.training.context import TrialContext

EXAMINE = ByName("nettuner.tasks.memory.log_model", "examine_and_log")
LOG_STATE = ByName("nettuner.tasks.memory.log_state", "log_state")


@task(name="examine", task_run_name="examine-trial-{winner.number}", cache_policy=NO_CACHE)
def examine_winner(context: TrialContext, winner: Trial) -> dict[str, float]:
    """Evaluate the winner on the test rows, which were not used before, and log its model.

    Of a user's own loop its state is logged instead; test metrics are those that it has reported.

    Returns:
        Test metrics, named test_*.
    """
    record = context.record
    if winner.checkpoint is not None:
        record.recorder.drain()  # another process writes to its run now
    if context.kind != "learner":
        if winner.checkpoint is not None:
            context.pool.run(LOG_STATE, Path(winner.checkpoint), record.run_id, place=STORE)
        return {name: v for name, v in winner.metrics.items() if name.startswith("test_")}
    if winner.checkpoint is None:
        return {}
    seen = data_of(context.study, winner.training)
    metrics, why_not = context.pool.run(
        EXAMINE,
        context.study.model_copy(update={"data": seen}),
        context.goal,
        dict(winner.proposal.params),
        Path(winner.checkpoint),
        record.experiment_id,
        record.run_id,
        place=STORE,
    )
    if why_not is not None:
        record.not_exported(why_not)
    return dict(metrics)
