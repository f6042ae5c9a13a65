"""What the trials of one search share: workers, MLflow record, folder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nettuner.models.study import Proposal, Trial
from nettuner.models.training.failure import Failure
from nettuner.models.training.job import CURVES, Job, Outcome
from nettuner.tasks.home import home
from nettuner.tasks.memory.search_record import SearchRecord
from nettuner.tasks.plan import Plan
from nettuner.tasks.training.curves import Curves
from nettuner.tasks.training.printed import Printed
from nettuner.tasks.training.trainings import Reader, best_of, combined
from nettuner.tasks.workers.places import Places, Stay
from nettuner.tasks.workers.pool import Pool


class TrialContext:
    """What the trials of one search share.

    Args:
        plan: Plan of the study that is searched.
        pool: Pool of worker processes.
        places: Places of its workers.
        record: Run of the search in MLflow.
        folder: Folder of checkpoints and logs.
        spent: Wall time of the search before it was resumed [s].
    """

    def __init__(
        self,
        plan: Plan,
        pool: Pool,
        places: Places,
        record: SearchRecord,
        folder: Path,
        spent: float = 0.0,
    ) -> None:
        self.study = plan.study
        self.goal = plan.goal
        self.kind = plan.kind
        self.pool = pool
        self.places = places
        self.record = record
        self.folder = folder
        self._rule = plan.strategy.rule
        told = None if self._rule is None else folder / CURVES
        self.curves = Curves(plan.study, plan.goal, told)
        self.printed = Printed()
        self._stackable = plan.stackable
        # A resumed search continues the count.
        self._began = time.monotonic() - spent
        self._training_since: float | None = None

    def elapsed(self) -> float:
        """Wall time of the search [s], before an interruption included."""
        return time.monotonic() - self._began

    def training(self) -> None:
        """Tell that a worker begins to train."""
        self._training_since = self._training_since or time.monotonic()

    def trained_for(self) -> float:
        """Wall time since the first worker began to train [s]; before an interruption not
        included."""
        return 0.0 if self._training_since is None else time.monotonic() - self._training_since

    def checkpoint(self, number: int) -> Path:
        """Path of a trial's checkpoint."""
        return self.folder / f"trial-{number}.safetensors"

    @property
    def choices(self) -> Path:
        """Folder that remembers how members of a structure are trained."""
        return home() / "stacks"

    @property
    def most_together(self) -> int | None:
        """Most trainings that one call of a worker may run; None for any number."""
        if not self._stackable or self.study.trial_seconds is not None:
            return 1
        return self.study.stack

    def jobs(self, proposal: Proposal, parent: Trial | None, device: str) -> list[Job]:
        """The jobs of training a proposal on a device, for workers: one for each training."""
        count = self.study.trainings
        numbers = [None] if count == 1 else range(count)
        return [self._job(proposal, parent, training, device) for training in numbers]

    def _job(
        self, proposal: Proposal, parent: Trial | None, training: int | None, device: str
    ) -> Job:
        name = f"trial-{proposal.number}"
        if training is not None:
            name += f".training-{training}"
        job = Job(
            self.study,
            self.goal,
            proposal,
            self.folder / f"{name}.jsonl",
            Path(parent.checkpoint) if parent and parent.checkpoint else None,
            None if self.kind == "function" else self.folder / f"{name}.safetensors",
            (parent.proposal.until or 0) if parent else 0,
            training,
            self._rule,
            # A function without a context may use its place without torch, or not at all.
            "cpu" if self.kind == "function" else device,
        )
        for left in (job.log, job.output):  # by a search that was killed
            left.unlink(missing_ok=True)
        return job

    def trial(
        self,
        jobs: Sequence[Job],
        outcomes: Sequence[Outcome | Failure],
        reader: Reader,
        seconds: float,
        stay: Stay,
    ) -> Trial:
        """The trial for its jobs and what came of them, once all that they logged was read."""
        trial = self._trial(jobs, outcomes, reader, seconds)
        accelerator = stay.place.accelerator
        if accelerator is None:
            return trial
        return replace(trial, device=accelerator.shown, utilisation=stay.utilisation)

    def _trial(
        self,
        jobs: Sequence[Job],
        outcomes: Sequence[Outcome | Failure],
        reader: Reader,
        seconds: float,
    ) -> Trial:
        proposal = replace(jobs[0].proposal, params=dict(jobs[0].proposal.params))
        curve = self.curves.of(proposal.number)
        outcome = combined(outcomes, len(jobs))
        checkpoint = self._kept(jobs, outcomes)
        whole = [o for o in outcomes if isinstance(o, Outcome)] if len(jobs) > 1 else []
        if isinstance(outcome, Failure):
            return Trial(
                proposal,
                reason=outcome.reason,
                seconds=seconds,
                rounds=reader.rounds,
                ended=self.elapsed(),
                curve=curve,
            )
        return Trial(
            proposal,
            outcome.score,
            seconds=seconds,
            metrics=outcome.metrics,
            rounds=outcome.rounds,
            checkpoint=checkpoint,
            ended=self.elapsed(),
            scores=tuple(o.score for o in whole),
            training=best_of(whole) if whole else None,
            curve=curve,
            stopped=outcome.stopped,
            peak_mib=outcome.peak_mib,
        )

    def _kept(self, jobs: Sequence[Job], outcomes: Sequence[Outcome | Failure]) -> str | None:
        """The checkpoint of the best training, under the trial's name; the others are deleted."""
        if len(jobs) == 1:
            end = jobs[0].end
            return str(end) if end is not None and end.is_file() else None
        kept = None
        whole = [outcome for outcome in outcomes if isinstance(outcome, Outcome)]
        if len(whole) == len(jobs):
            end = jobs[best_of(whole)].end
            if end is not None and end.is_file():
                kept = str(end.replace(self.checkpoint(jobs[0].proposal.number)))
        for job in jobs:
            if job.end is not None:
                job.end.unlink(missing_ok=True)
        return kept
