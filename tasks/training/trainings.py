"""What the trainings of one trial come to: their mean, and their spread."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from nettuner.models.spread import DEVIATION, deviation, mean
from nettuner.models.training.failure import Failure
from nettuner.models.training.job import Job, Outcome
from nettuner.tasks.memory.trial_record import Picture
from nettuner.tasks.training.log_reader import LogReader

Row = dict[str, Any]


def averaged(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each metric that all trainings have, and its standard deviation.

    A metric that trainings report under the name of a deviation keeps its mean.
    """
    names = [name for name in found[0] if all(name in other for other in found[1:])]
    values = {name: [metrics[name] for metrics in found] for name in names}
    spreads = {f"{name}{DEVIATION}": deviation(of) for name, of in values.items()}
    return {**spreads, **{name: mean(of) for name, of in values.items()}}


def without_deviations(metrics: Mapping[str, float]) -> dict[str, float]:
    """Metrics that are means, without the standard deviations beside them."""
    deviations = {f"{name}{DEVIATION}" for name in metrics}
    return {name: value for name, value in metrics.items() if name not in deviations}


def combined(outcomes: Sequence[Outcome | Failure], trainings: int) -> Outcome | Failure:
    """What came of a trial whose trainings came to this; one that failed fails it.

    Args:
        outcomes: Outcomes in the order of the trainings, up to one that failed.
        trainings: Number of trainings of the trial.
    """
    if trainings == 1:
        return outcomes[0]
    whole = []
    for place, outcome in enumerate(outcomes, start=1):
        if isinstance(outcome, Failure):
            reason = f"training {place} of {trainings}: {outcome.reason}"
            return Failure(reason, outcome.details)
        whole.append(outcome)
    return Outcome(
        mean([outcome.score for outcome in whole]),
        averaged([outcome.metrics for outcome in whole]),
        sum(outcome.rounds for outcome in whole),
        peak_mib=max((o.peak_mib for o in whole if o.peak_mib is not None), default=None),
    )


def best_of(outcomes: Sequence[Outcome]) -> int:
    """The training with the lowest score, the first of equals."""
    return min(range(len(outcomes)), key=lambda place: outcomes[place].score)


def as_markdown(jobs: Sequence[Job], outcomes: Sequence[Outcome | Failure]) -> str:
    """The last metrics of each training as a table, and why one failed."""
    ended = [outcome.metrics for outcome in outcomes if isinstance(outcome, Outcome)]
    places = range(1, len(ended) + 1)
    lines = [
        f"| metric | mean | std (n - 1) | {' | '.join(f'training {k}' for k in places)} |",
        f"| --- | --- | --- |{' --- |' * len(ended)}",
        f"| seed | | | {' | '.join(', '.join(map(str, job.seed)) for job in jobs[: len(ended)])} |",
    ]
    means = averaged(ended) if ended else {}
    for name in ended[0] if ended else ():
        if name in means:
            shown = [means[name], means[f"{name}{DEVIATION}"], *(of[name] for of in ended)]
            cells = " | ".join(f"{value:.6g}" for value in shown)
            lines.append(f"| {' '.join(name.split()).replace('|', chr(92) + '|')} | {cells} |")
    failed = [
        f"Training {place} (seed {', '.join(map(str, job.seed))}) failed: {outcome.reason}"
        for place, (job, outcome) in enumerate(zip(jobs, outcomes, strict=False), start=1)
        if isinstance(outcome, Failure)
    ]
    return "\n".join([*failed, *([""] if failed else []), *(lines if ended else [])])


class MeanReader:
    """Reads the logs of a trial's trainings as one: means of the steps that all have reached."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._readers = [LogReader(job) for job in jobs]
        # Rows of each training that were not told yet, by step and place among those of that step.
        self._waiting: list[dict[tuple[int, int], Row]] = [{} for _ in jobs]
        self._counted: list[dict[int, int]] = [{} for _ in jobs]
        self._latest: Row = {"step": 1, "time": 0.0, "metrics": {}}

    @property
    def rounds(self) -> int:
        """Rounds of all trainings together."""
        return sum(reader.rounds for reader in self._readers)

    def fresh(self) -> list[Row]:
        """The steps that all trainings have reached since the last call."""
        return self._joined([reader.fresh() for reader in self._readers])

    def rest(self) -> list[Row]:
        """The last of them; deletes the files."""
        return self._joined([reader.rest() for reader in self._readers])

    def conclusion(self, metrics: Mapping[str, float]) -> list[Row]:
        """A last row for what is not what was told last.

        The trainings may count other rounds than their last ones, or end after different ones.

        Args:
            metrics: Metrics of the trial.
        """
        told = self._latest["metrics"]
        changed = {name: value for name, value in metrics.items() if told.get(name) != value}
        # Later by what MLflow tells apart.
        at = max(time.time(), self._latest["time"] + 0.002)
        told_at = {"step": self._latest["step"], "time": at, "seconds": 0.0}
        row = {**told_at, "metrics": changed, "round": False}
        return [row] if changed else []

    def pictures(self) -> Iterator[Picture]:
        """The pictures of the first training; those of the others are deleted."""
        first, *others = self._readers
        for reader in others:
            for *_, path in reader.pictures():
                path.unlink(missing_ok=True)
        yield from first.pictures()

    def _joined(self, read: Sequence[Sequence[Row]]) -> list[Row]:
        for fresh, waiting, counted in zip(read, self._waiting, self._counted, strict=True):
            for row in fresh:
                step = row["step"]
                counted[step] = place = counted.get(step, 0) + 1
                waiting[step, place] = row
        first, *others = self._waiting
        reached = [key for key in first if all(key in other for other in others)]
        rows = [_mean_row([waiting.pop(key) for waiting in self._waiting]) for key in reached]
        for row in rows:
            metrics = {**self._latest["metrics"], **row["metrics"]}
            self._latest = {"step": row["step"], "time": row["time"], "metrics": metrics}
        return rows


def _mean_row(rows: Sequence[Row]) -> Row:
    return {
        "step": rows[0]["step"],
        "time": max(row["time"] for row in rows),
        "seconds": sum(row["seconds"] for row in rows),
        "metrics": averaged([row["metrics"] for row in rows]),
        "round": rows[0]["round"],
    }


Reader: TypeAlias = LogReader | MeanReader


def reader_of(jobs: Sequence[Job]) -> Reader:
    """Reads what a trial logs."""
    return LogReader(jobs[0]) if len(jobs) == 1 else MeanReader(jobs)
