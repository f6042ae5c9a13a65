"""Prefect task that evaluates the winner on the test rows, once, and logs its model."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from prefect import task
from prefect.cache_policies import NO_CACHE

from nettuner.models.by_name import ByName
from nettuner.models.study import Trial
from nettuner.models.training.winner import Winner

if TYPE_CHECKING:
    from nettuner.tasks.training.context import TrialContext

EXAMINE = ByName("nettuner.models.training.examine", "examine")
LOG_MODEL = ByName("nettuner.tasks.memory.log_model", "log_model")


@task(name="examine", task_run_name="examine-trial-{winner.number}", cache_policy=NO_CACHE)
def examine_winner(context: TrialContext, winner: Trial) -> dict[str, float]:
    """Evaluate the winner on the test rows, which were not used before, and log its model.

    Returns:
        Test metrics, named test_*.
    """
    if winner.checkpoint is None:
        return {}
    with TemporaryDirectory() as folder:
        found: Winner = context.pool.run(
            EXAMINE,
            context.study,
            dict(winner.proposal.params),
            Path(winner.checkpoint),
            Path(folder),
        )
        if found.network is None:
            context.record.not_exported(found.why_not or "")
        else:
            place = context.record.experiment_id, context.record.run_id
            context.record.recorder.drain()  # another process writes to its run now
            context.pool.run(LOG_MODEL, *place, found)
    return dict(found.metrics)
