"""The MLflow run of a trial, or of a population member, written while it trains."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mlflow.entities import Metric, Param
from numpy.typing import NDArray

from nettuner.models.study import Proposal, Trial
from nettuner.tasks.memory import tags as names
from nettuner.tasks.memory.store import LONGEST_PARAM, finite_metrics, run_url, send
from nettuner.tasks.memory.trial_tags import LONGEST_REASON, LONGEST_TAG, to_tags

if TYPE_CHECKING:
    from nettuner.tasks.memory.search_record import SearchRecord

Picture = tuple[str, int, NDArray[np.uint8]]
"""Name, training step, and the image."""

# Metrics of a running trial are sent in batches of so many rounds: visible early, with few calls
# (six for a trial of 20 rounds).
FLUSH_ROUNDS = 7
FLUSH_SECONDS = 2.0
# Longest time between two sends of a population member that trains in a stack.
LATER_SECONDS = 10.0


class TrialRecord:
    """The run of one trial, or of all segments of a population member."""

    def __init__(
        self, search: SearchRecord, run_id: str, proposal: Proposal, note: str, *, fresh: bool
    ) -> None:
        self.search = search
        self.proposal = proposal
        self.run_id = run_id
        self._note = note
        self._params = self._as_params() if fresh else []
        self._waiting: list[Metric] = []
        self._tags: dict[str, str] = {}
        self._rounds = 0
        self._sent = time.monotonic()

    @property
    def url(self) -> str:
        """URL of the run."""
        return run_url(self.search.experiment_id, self.run_id)

    def go_on(self, proposal: Proposal, step: int, parent: Trial | None) -> None:
        """Record the hyperparameters of a segment that starts at this training step."""
        self.proposal = proposal
        source = parent.proposal.member if parent else None
        if source not in (None, proposal.member):
            self._note += f"  \nAt step {step} it went on from a copy of member {source}."
            self._tags |= {
                f"{names.COPIED}.after-{step}": f"member {source}",
                names.NOTE: self._note,
            }
        self._waiting += self._as_metrics(step)
        self._tags |= self._as_tags()

    def _changing(self) -> dict[str, Any]:
        """Hyperparameters that may change between segments of a population member."""
        if self.proposal.member is None:
            return {}
        structural = self.search.facts.structural
        return {name: v for name, v in self.proposal.params.items() if name not in structural}

    def _as_params(self) -> list[Param]:
        changing = self._changing()
        fixed = {n: v for n, v in self.proposal.params.items() if n not in changing}
        return [Param(name, str(value)[:LONGEST_PARAM]) for name, value in fixed.items()]

    def _as_metrics(self, step: int) -> list[Metric]:
        """Changing hyperparameters as stepped metrics: MLflow's params are immutable."""
        now = int(time.time() * 1000)
        return [
            Metric(f"{names.NUMBER}{name}", float(value), now, step)
            for name, value in self._changing().items()
            if not isinstance(value, str)
        ]

    def _as_tags(self) -> dict[str, str]:
        words = {n: v for n, v in self._changing().items() if isinstance(v, str)}
        return {f"{names.WORD}{name}": value[:LONGEST_TAG] for name, value in words.items()}

    def report(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Record the metrics of finished rounds, sent in batches."""
        for row in rows:
            self._waiting += finite_metrics(row["step"], row["time"], row["metrics"])
            self._rounds += 1
        waited = time.monotonic() - self._sent
        if self._rounds >= FLUSH_ROUNDS and waited >= FLUSH_SECONDS:
            self._flush({})

    def keep_output(self, path: Path) -> None:
        """Log what a trial printed as a text among its artifacts, unless it printed nothing."""
        if path.is_file() and path.stat().st_size:
            self.search.keep_output(self.run_id, path)
        path.unlink(missing_ok=True)

    def show(self, pictures: Iterable[Picture]) -> None:
        """Log pictures, which MLflow shows over the steps."""
        for name, step, image in pictures:
            self.search.mlflow.log_image(self.run_id, image, key=name, step=step)

    def _flush(self, tags: Mapping[str, str]) -> None:
        self._tags |= tags
        send(self.search.mlflow, self.run_id, self._waiting, self._params, self._tags)
        self._waiting, self._params, self._tags, self._rounds = [], [], {}, 0
        self._sent = time.monotonic()

    def finish(self, trial: Trial, *, last: bool, later: bool = False) -> None:
        """Record the result; close the run unless later segments of the member follow.

        Args:
            trial: Trial that ended.
            last: Whether no later segment follows.
            later: Whether a member's record may be sent later, as `keep_segment` stores it for a
                resume.
        """
        tags = to_tags(trial)
        if trial.reason:
            tags[names.REASON] = trial.reason[:LONGEST_REASON]
        if trial.proposal.member is None:
            now = int(time.time() * 1000)
            self._waiting.append(Metric(names.SECONDS, trial.seconds, now, 0))
        if later and not last and time.monotonic() - self._sent < LATER_SECONDS:
            self._tags |= tags
            return
        self._flush(tags)
        if last:
            status = "FINISHED" if trial.succeeded else "FAILED"
            self.search.mlflow.set_terminated(self.run_id, status)

    def interrupted(self, reason: str) -> None:
        """Close the run of a trial that was interrupted."""
        self._flush({names.REASON: reason})
        self.search.mlflow.set_terminated(self.run_id, "KILLED")

    @property
    def waits(self) -> bool:
        """Whether there is anything unsent."""
        return bool(self._waiting or self._params or self._tags)

    def waiting(self) -> dict[str, Any]:
        """Unsent metrics, params and tags, as JSON for `resend`."""
        return {
            "metrics": [[m.key, m.value, m.timestamp, m.step] for m in self._waiting],
            "params": {param.key: param.value for param in self._params},
            "tags": self._tags,
        }

    def close(self, status: str) -> None:
        """Send what is unsent, and close the run."""
        self._flush({})
        self.search.mlflow.set_terminated(self.run_id, status)
