"""What a worker process is told about trials, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from nettuner.models.data.fold import Fold
from nettuner.models.data.source import Source
from nettuner.models.early_stop import Rule
from nettuner.models.study import Goal, Proposal, Study
from nettuner.models.training.failure import Failure

CURVES = "curves"


@dataclass(frozen=True)
class Job:
    """Everything a worker needs to run one trial, or one training of a trial that has several.

    Args:
        study: Study of the trial.
        goal: Metric and direction.
        proposal: Hyperparameters, and the round to train up to.
        log: Path to which each round's metrics are appended as a JSON line.
        start: Path of the checkpoint to continue from; None starts anew.
        end: Path for the final checkpoint; None for functions, which have none.
        done: Rounds trained when `start` was written.
        training: Number of this training, from 0, where the trial has several; else None.
        rule: Rule that may end the trial early; None for none.
        device: Device that it is trained on, as torch names it: cpu, cuda, or mps. A worker sees
            the accelerator of its place alone.
    """

    study: Study
    goal: Goal
    proposal: Proposal
    log: Path
    start: Path | None = None
    end: Path | None = None
    done: int = 0
    training: int | None = None
    rule: Rule | None = None
    device: str = "cpu"

    @property
    def seed(self) -> tuple[int, ...]:
        """Seed of initial weights, batch order and dropout."""
        own = trial_seed(self.study, self.proposal)
        return own if self.training is None else (*own, self.training)

    @property
    def data(self) -> Source | None:
        """The data of the study, divided as for this training."""
        return data_of(self.study, self.training)

    @property
    def output(self) -> Path:
        """Path of what the trial prints."""
        return self.log.with_suffix(".txt")

    @property
    def told(self) -> Path:
        """Path of the curves of all trials, as far as the search knows them."""
        return self.log.with_name(CURVES)

    def picture(self, name: str, step: int) -> Path:
        """Path of a picture drawn at this step, a numpy array; its name may have any characters."""
        return self.log.with_name(f"{self.log.stem}.{quote(name, safe='')}.{step}.npy")


@dataclass(frozen=True)
class Outcome:
    """The result of a trial that succeeded.

    Args:
        score: Score.
        metrics: Metrics that count.
        rounds: Rounds trained.
        stopped: Reason why it ended early; None if it did not.
        peak_mib: Most memory of an accelerator that was taken at once [MiB], by all that were
            trained together; None on a CPU.
    """

    score: float
    metrics: Mapping[str, float]
    rounds: int
    stopped: str | None = None
    peak_mib: float | None = None


@dataclass(frozen=True)
class StackOutcome:
    """What came of trials that were run together.

    Args:
        outcomes: Outcome of each job, in their order; of the first jobs alone if one of them
            changed its process so that the next ones would not be trained as if alone.
        why_not_stacked: Reason why some were trained one by one; None if none was.
    """

    outcomes: list[Outcome | Failure]
    why_not_stacked: str | None = None


def data_of(study: Study, training: int | None) -> Source | None:
    """The data of a study as a training of a trial sees them.

    Args:
        study: Study.
        training: Number of the training; None where a trial has one alone.
    """
    if study.data is None or study.folds is None or training is None:
        return study.data
    return study.data.at_fold(Fold(training, study.folds))


def trial_seed(study: Study, proposal: Proposal) -> tuple[int, int]:
    """The seed of a trial; all segments of a population member share one."""
    member = proposal.number if proposal.member is None else proposal.member
    return study.seed, member
