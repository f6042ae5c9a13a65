"""The MLflow run of a trial, or of a population member, written while it trains."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nettuner.models.study import Proposal, Trial
from nettuner.tasks.memory import tags as names
from nettuner.tasks.memory.events import ended, kept_text, logged
from nettuner.tasks.memory.metrics import Point, finite_metrics
from nettuner.tasks.memory.store import run_url
from nettuner.tasks.memory.trial_tags import LONGEST_PARAM, LONGEST_REASON, LONGEST_TAG, to_tags

if TYPE_CHECKING:
    from nettuner.tasks.memory.search_record import SearchRecord

Picture = tuple[str, int, Path]
"""Name, training step, and a file with the image as an array, which is taken away."""

# Longest text of what a trial printed that is kept [bytes].
MOST_OUTPUT = 1_000_000


class TrialRecord:
    """The run of one trial, or of all segments of a population member."""

    def __init__(self, search: SearchRecord, run_id: str, proposal: Proposal, note: str) -> None:
        self.search = search
        self.proposal = proposal
        self.run_id = run_id
        self._note = note
        self._is_open = True

    @property
    def url(self) -> str:
        """URL of the run."""
        return run_url(self.search.experiment_id, self.run_id)

    def begin(self, step: int, parent: Trial | None, device: str) -> None:
        """Record the hyperparameters of a run that has just been opened."""
        changing = self._changing()
        fixed = {n: v for n, v in self.proposal.params.items() if n not in changing}
        params = {name: str(value)[:LONGEST_PARAM] for name, value in fixed.items()}
        self._log(self._as_metrics(step), params, self._as_tags(step, parent, device))

    def go_on(self, proposal: Proposal, step: int, parent: Trial | None, device: str) -> None:
        """Record the hyperparameters of a segment that starts at this training step."""
        self.proposal = proposal
        self._log(self._as_metrics(step), {}, self._as_tags(step, parent, device))

    def _changing(self) -> dict[str, Any]:
        """Hyperparameters that may change between segments of a population member."""
        if self.proposal.member is None or self.search.facts.continues == "itself":
            return {}
        structural = self.search.facts.structural
        return {name: v for name, v in self.proposal.params.items() if name not in structural}

    def _as_metrics(self, step: int) -> list[Point]:
        """Changing hyperparameters as stepped metrics: MLflow's params are immutable."""
        now = int(time.time() * 1000)
        return [
            (f"{names.NUMBER}{name}", float(value), now, step)
            for name, value in self._changing().items()
            if not isinstance(value, str)
        ]

    def _as_tags(self, step: int, parent: Trial | None, device: str) -> dict[str, str]:
        words = {n: v for n, v in self._changing().items() if isinstance(v, str)}
        tags = {f"{names.WORD}{name}": value[:LONGEST_TAG] for name, value in words.items()}
        tags[names.DEVICE] = device
        source = parent.proposal.member if parent else None
        if source not in (None, self.proposal.member):
            self._note += f"  \nAt step {step} it went on from a copy of member {source}."
            tags[f"{names.COPIED}.after-{step}"] = f"member {source}"
            tags[names.NOTE] = self._note
        return tags

    def _log(
        self,
        metrics: Sequence[Point] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        if metrics or params or tags:
            self.search.recorder.add(logged(self.run_id, metrics, params, tags))

    def report(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Record the metrics of finished rounds."""
        self._log([m for r in rows for m in finite_metrics(r["step"], r["time"], r["metrics"])])

    def keep_output(self, path: Path) -> None:
        """Log what a trial printed as a text among its artifacts, unless it printed nothing."""
        if path.is_file() and path.stat().st_size:
            text = _end_of(path)
            self.search.recorder.add(kept_text(self.run_id, f"output/{path.name}", text))
        path.unlink(missing_ok=True)

    def keep_traceback(self, text: str) -> None:
        """Log why a trial failed as a text among its artifacts; nothing where nobody knows."""
        if text:
            name = names.TRACEBACK.format(self.proposal.number)
            self.search.recorder.add(kept_text(self.run_id, name, text[-MOST_OUTPUT:]))

    def show(self, pictures: Iterable[Picture]) -> None:
        """Log pictures, which MLflow shows over the steps."""
        for name, step, file in pictures:
            self.search.recorder.add_image(self.run_id, name, step, file)

    def remark(self, text: str) -> None:
        """Add a paragraph in Markdown to the run's note; what is too long for it is cut off."""
        whole = f"{self._note}\n\n{text}"
        self._note = whole if len(whole) <= LONGEST_TAG else whole[:LONGEST_TAG].rpartition("\n")[0]
        self._log(tags={names.NOTE: self._note})

    def finish(self, trial: Trial, *, last: bool) -> None:
        """Record the result; close the run unless later segments of the member follow.

        Args:
            trial: Trial that ended.
            last: Whether no later segment follows.
        """
        tags = to_tags(trial)
        if trial.reason:
            tags[names.REASON] = trial.reason[:LONGEST_REASON]
        measured = {names.PEAK: trial.peak_mib, names.UTILISATION: trial.utilisation}
        if trial.proposal.member is None:
            measured[names.SECONDS] = trial.seconds
        now, step = int(time.time() * 1000), trial.proposal.until or 0
        metrics = [(n, float(v), now, step) for n, v in measured.items() if v is not None]
        if trial.stopped is not None:
            tags[names.REASON] = f"{names.STOPPED}: {trial.stopped}"[:LONGEST_REASON]
        status = "FINISHED" if trial.succeeded else "FAILED"
        if trial.stopped is not None and trial.succeeded:
            status = "KILLED"
        if self.search.facts.continues == "itself" and not trial.succeeded:
            last = True  # nothing goes on from it
        self._is_open = not last
        end = [ended(self.run_id, status)] if last else []
        self.search.recorder.add(logged(self.run_id, metrics, {}, tags), *end)

    def interrupted(self, reason: str) -> None:
        """Close the run of a trial that was interrupted."""
        told = logged(self.run_id, tags={names.REASON: reason})
        self.search.recorder.add(told, ended(self.run_id, "KILLED"))

    def close(self, status: str) -> None:
        """Close the run with its search, if it is open.

        A configuration that was not trained to its end by then was stopped early.
        """
        if not self._is_open:
            return
        if self.search.facts.continues == "itself" and status == "FINISHED":
            reason = f"{names.STOPPED} after {self.proposal.until}: others were better"
            self.search.recorder.add(logged(self.run_id, tags={names.REASON: reason}))
            status = "KILLED"
        self.search.recorder.add(ended(self.run_id, status))


def _end_of(path: Path) -> str:
    """The text of a file, of a long one its end."""
    with path.open("rb") as file:
        skipped = max(0, path.stat().st_size - MOST_OUTPUT)
        file.seek(skipped)
        text = file.read().decode(errors="replace")
    return f"[{skipped} bytes before this were left out]\n{text}" if skipped else text
