"""Training one trial in a worker process, recorded in MLflow, as a node of the DAG."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.context import TaskRunContext

from nettuner.models.study import Goal, Proposal, Study, Trial
from nettuner.models.training.trial import Failure, Job, Outcome, run, trial_seed
from nettuner.tasks.home import prefect_ui
from nettuner.tasks.memory.search_record import Picture, SearchRecord, TrialRecord
from nettuner.tasks.training.pool import InterruptedSearchError, TrialFailedError, WorkerPool


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

    def job(self, proposal: Proposal, parent: Trial | None) -> Job:
        """What a worker is given to train a proposal."""
        log = self.folder / f"trial-{proposal.number}.jsonl"
        log.unlink(missing_ok=True)  # a search that was killed leaves it half written
        return Job(
            self.study,
            self.goal,
            proposal,
            log,
            Path(parent.checkpoint) if parent and parent.checkpoint else None,
            self.checkpoint(proposal.number) if self.trains_networks else None,
            (parent.proposal.until or 0) if parent else 0,
        )

    def trial(self, job: Job, outcome: Outcome | Failure, tail: Tail, seconds: float) -> Trial:
        """What came of a job, which took so long."""
        proposal = replace(job.proposal, params=dict(job.proposal.params))
        if isinstance(outcome, Failure):
            return Trial(
                proposal,
                reason=outcome.reason,
                seconds=seconds,
                rounds=tail.rounds,
                ended=self.elapsed(),
            )
        kept = job.end is not None and job.end.is_file()
        return Trial(
            proposal,
            outcome.score,
            seconds=seconds,
            metrics=outcome.metrics,
            rounds=outcome.rounds,
            checkpoint=str(job.end) if kept else None,
            ended=self.elapsed(),
        )


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
    record = bench.record.begin(
        proposal,
        trial_seed(bench.study, proposal),
        first_step(bench.study, parent),
        node(),
        parent,
    )
    get_run_logger().info("%s: %s in MLflow: %s", name, dict(proposal.params), record.url)
    job = bench.job(proposal, parent)
    tail = Tail(job)
    began = time.monotonic()
    try:
        outcome: Outcome | Failure = bench.pool.run(
            run,
            job,
            seconds=bench.study.trial_seconds,
            glance=functools.partial(look, record, tail),
        )
    except TrialFailedError as error:
        outcome = Failure(str(error), error.details)
        get_run_logger().warning("%s failed: %s\n%s", name, outcome.reason, outcome.details)
    except InterruptedSearchError as error:
        look(record, tail)
        record.interrupted(str(error))
        raise
    trial = bench.trial(job, outcome, tail, time.monotonic() - began)
    look(record, tail, rest=True)
    record.finish(trial, last=is_last(bench.study, proposal))
    if trial.score is None:
        raise FailedTrialError(trial)
    return trial


def look(record: TrialRecord, tail: Tail, rest: bool = False) -> None:
    """Report what a worker left since the last look; `rest` when it has ended."""
    record.report(tail.rest() if rest else tail.fresh())
    record.show(tail.pictures())


def node() -> str | None:
    """Address of the node of the DAG that runs here."""
    context = TaskRunContext.get()
    return f"{prefect_ui()}/runs/task-run/{context.task_run.id}" if context else None


def first_step(study: Study, parent: Trial | None) -> int:
    """The training step (epoch) at which a trial starts or goes on."""
    return study.step_after((parent.proposal.until or 0) if parent else 0)


def is_last(study: Study, proposal: Proposal) -> bool:
    """Whether nothing continues this trial."""
    return proposal.member is None or proposal.until == study.rounds


class Tail:
    """Reads what a worker leaves of a trial as it grows: metrics, and pictures.

    A trial that could not be trained in a stack begins anew alone, and its log with it; what was
    told before is not told again.
    """

    def __init__(self, job: Job) -> None:
        self._path = job.log
        self._offset = 0
        self._first = b""
        self._again = 0
        self.rounds = 0

    def fresh(self) -> list[dict[str, Any]]:
        """The whole lines written since the last call."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            first = file.readline()  # it has the time of day: no two logs begin alike
            if self._offset and first != self._first:
                self._offset, self._again = 0, self.rounds
            file.seek(self._offset)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        if whole and not self._offset:
            self._first = first
        self._offset += len(whole)
        lines = whole.splitlines()
        told = min(self._again, len(lines))
        self._again -= told
        rows = [json.loads(line) for line in lines[told:]]
        self.rounds += len(rows)
        return rows

    def pictures(self) -> Iterator[Picture]:
        """The pictures that were drawn since the last call, and the step of each."""
        for path in sorted(self._path.parent.glob(f"{self._path.stem}.*.npy")):
            name, step = path.stem.removeprefix(f"{self._path.stem}.").rsplit(".", 1)
            yield name, int(step), np.load(path, allow_pickle=False)
            path.unlink()

    def rest(self) -> list[dict[str, Any]]:
        """The last lines; deletes the file."""
        rows = self.fresh()
        self._path.unlink(missing_ok=True)
        return rows
