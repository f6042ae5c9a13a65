"""Where the trials of one search are trained: its workers, its record and its folder."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from nettuner.models.study import Goal, Proposal, Study, Trial
from nettuner.models.training.trial import Failure, Job, Outcome
from nettuner.tasks.memory.search_record import SearchRecord
from nettuner.tasks.training.log_reader import LogReader
from nettuner.tasks.training.pool import Pool


class TrialContext:
    """What all trials of one search share.

    Args:
        study: Study that is searched.
        goal: Metric and direction.
        pool: Workers.
        record: Run of the search in MLflow.
        folder: Folder of checkpoints and logs.
        spent: Seconds that the search had run before it was resumed.
    """

    def __init__(
        self,
        study: Study,
        goal: Goal,
        pool: Pool,
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

    def trial(
        self, job: Job, outcome: Outcome | Failure, reader: LogReader, seconds: float
    ) -> Trial:
        """What came of a job, which took so long."""
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
