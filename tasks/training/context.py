"""What the trials of one search share: workers, MLflow record, folder."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from nettuner.models.fitted import Kind
from nettuner.models.study import Goal, Proposal, Study, Trial
from nettuner.models.training.failure import Failure
from nettuner.models.training.job import Job, Outcome
from nettuner.tasks.home import home
from nettuner.tasks.memory.search_record import SearchRecord
from nettuner.tasks.training.log_reader import LogReader
from nettuner.tasks.workers.pool import Pool


class TrialContext:
    """What the trials of one search share.

    Args:
        study: Study that is searched.
        goal: Metric and direction.
        pool: Pool of worker processes.
        record: Run of the search in MLflow.
        folder: Folder of checkpoints and logs.
        kind: What is trained.
        spent: Wall time of the search before it was resumed [s].
    """

    def __init__(
        self,
        study: Study,
        goal: Goal,
        pool: Pool,
        record: SearchRecord,
        folder: Path,
        kind: Kind,
        spent: float = 0.0,
    ) -> None:
        self.study = study
        self.goal = goal
        self.pool = pool
        self.record = record
        self.folder = folder
        self.kind = kind
        # A resumed search continues the count.
        self._began = time.monotonic() - spent

    def elapsed(self) -> float:
        """Wall time of the search [s], before an interruption included."""
        return time.monotonic() - self._began

    def checkpoint(self, number: int) -> Path:
        """Path of a trial's checkpoint."""
        return self.folder / f"trial-{number}.safetensors"

    @property
    def choices(self) -> Path:
        """Folder that remembers how members of a structure are trained."""
        return home() / "stacks"

    def job(self, proposal: Proposal, parent: Trial | None) -> Job:
        """The job of training a proposal, for a worker."""
        log = self.folder / f"trial-{proposal.number}.jsonl"
        job = Job(
            self.study,
            self.goal,
            proposal,
            log,
            Path(parent.checkpoint) if parent and parent.checkpoint else None,
            None if self.kind == "function" else self.checkpoint(proposal.number),
            (parent.proposal.until or 0) if parent else 0,
        )
        for left in (job.log, job.output):  # by a search that was killed
            left.unlink(missing_ok=True)
        return job

    def trial(
        self, job: Job, outcome: Outcome | Failure, reader: LogReader, seconds: float
    ) -> Trial:
        """The trial for a job and its outcome."""
        proposal = replace(job.proposal, params=dict(job.proposal.params))
        if isinstance(outcome, Failure):
            return Trial(
                proposal,
                reason=outcome.reason,
                seconds=seconds,
                rounds=reader.rounds,
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
