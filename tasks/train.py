"""Training one trial in a worker process, recorded in MLflow, as a node of the DAG."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.context import TaskRunContext

from models.study import Goal, Proposal, Study, Trial
from models.trial import Job, run, trial_seed
from tasks.home import prefect_ui
from tasks.track import SearchRecord, run_url
from tasks.worker_pool import InterruptedSearchError, TrialFailedError, WorkerPool


class Bench:
    """Where the trials of one search are trained: its workers, its record and its folder."""

    def __init__(
        self,
        study: Study,
        goal: Goal,
        pool: WorkerPool,
        record: SearchRecord,
        folder: Path,
        spent: float = 0.0,
    ) -> None:
        self.study = study
        self.goal = goal
        self.pool = pool
        self.record = record
        self.folder = folder
        self.trains_networks = study.data is not None
        # A resumed search goes on counting where it stopped.
        self._began = time.monotonic() - spent

    def elapsed(self) -> float:
        """Seconds of searching, those before an interruption included."""
        return time.monotonic() - self._began

    def checkpoint(self, number: int) -> Path:
        """Where the state of a trial is left."""
        return self.folder / f"trial-{number}.safetensors"

    def log(self, number: int) -> Path:
        """Where a worker writes a trial's metrics while it runs."""
        return self.folder / f"trial-{number}.jsonl"


class FailedTrialError(Exception):
    """Carries a failed trial out of its node; the message is its reason."""

    def __init__(self, trial: Trial) -> None:
        super().__init__(trial.reason)
        self.trial = trial


@task(name="train", task_run_name="{name}", cache_policy=NO_CACHE)
def train(bench: Bench, proposal: Proposal, parent: Trial | None, name: str) -> Trial:
    """Train one proposal.

    Args:
        bench: Of the search.
        proposal: What to train.
        parent: The trial whose weights to continue from.
        name: Of the node in the DAG.

    Raises:
        FailedTrialError: there is no score; the message says why.
        InterruptedSearchError: the search was stopped meanwhile.
    """
    context = TaskRunContext.get()
    node = f"{prefect_ui()}/runs/task-run/{context.task_run.id}" if context else None
    seed = trial_seed(bench.study, proposal)
    record = bench.record.begin(proposal, seed, first_step(bench.study, parent), node)
    address = run_url(bench.record.experiment_id, record.run_id)
    get_run_logger().info("%s: %s in MLflow: %s", name, dict(proposal.params), address)
    end = bench.checkpoint(proposal.number) if bench.trains_networks else None
    start = Path(parent.checkpoint) if parent and parent.checkpoint else None
    log = bench.log(proposal.number)
    log.unlink(missing_ok=True)  # a search that was killed leaves it half written
    job = Job(bench.study, bench.goal, proposal, log, start, end)
    tail = Tail(log)
    began = time.monotonic()
    try:
        outcome = bench.pool.run(
            run,
            job,
            seconds=bench.study.trial_seconds,
            glance=lambda: record.report(tail.fresh()),
        )
        score, metrics, rounds, reason = outcome.score, outcome.metrics, outcome.rounds, None
    except TrialFailedError as error:
        score, metrics, rounds, reason = None, {}, 0, str(error)
        get_run_logger().warning("%s failed: %s\n%s", name, reason, error.details)
    except InterruptedSearchError as error:
        record.report(tail.fresh())
        record.interrupted(str(error))
        raise
    record.report(tail.fresh())
    log.unlink(missing_ok=True)
    trial = Trial(
        replace(proposal, params=dict(proposal.params)),
        score,
        reason,
        seconds=time.monotonic() - began,
        metrics=metrics,
        rounds=rounds or tail.count,
        checkpoint=str(end) if end and score is not None else None,
        ended=bench.elapsed(),
    )
    record.finish(trial, last=is_last(bench.study, proposal))
    if trial.score is None:
        raise FailedTrialError(trial)
    return trial


def first_step(study: Study, parent: Trial | None) -> int:
    """The training step (epoch) at which a trial starts or goes on."""
    done = (parent.proposal.until or 0) if parent else 0
    return done * (study.steps_per_round if study.steps else 1)


def is_last(study: Study, proposal: Proposal) -> bool:
    """Whether nothing continues this trial."""
    return proposal.member is None or proposal.until == study.rounds


class Tail:
    """Reads a worker's log as it grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self.count = 0

    def fresh(self) -> list[dict[str, Any]]:
        """The whole lines written since the last call."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        rows = [json.loads(line) for line in whole.splitlines()]
        self.count += len(rows)
        return rows
