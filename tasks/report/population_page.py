"""Prefect task that stores the copies and the schedules of a population."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from prefect import task
from prefect.cache_policies import NO_CACHE

from nettuner.models.study import Trial
from nettuner.tasks.report.draw_schedules import PICTURE, draw_schedules
from nettuner.tasks.strategies.population import lineage, schedule

if TYPE_CHECKING:
    from nettuner.tasks.training.context import TrialContext

LINEAGE = "lineage.json"


@task(name="trace", task_run_name="trace-population", cache_policy=NO_CACHE)
def trace(context: TrialContext, trials: Sequence[Trial], winner: Trial) -> None:
    """Store a table of the copies, the winner's schedule, and a picture of all schedules.

    Args:
        context: Context of the search.
        trials: All segments of the population.
        winner: Last segment of the best member.
    """
    study, goal, record = context.study, context.goal, context.record
    phases = lineage.schedule(trials, winner)
    record.keep(schedule.FILE, schedule.written(study, goal, trials, winner, phases))
    copies = lineage.lineage(trials)
    if copies:
        record.keep_table(LINEAGE, lineage.table(copies, trials, study, goal))
    with TemporaryDirectory() as folder:
        path = Path(folder) / PICTURE
        draw_schedules(study, goal, trials, winner, path, f"{study.name}: {record.name}")
        record.keep_file(path)
