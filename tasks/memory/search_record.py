"""MLflow as the memory of a search: written as it happens, read back to go on.

Experiment = study, parent run = search, child run = trial (or member of a population). Everything
goes through `MlflowClient`: the fluent interface keeps global state that breaks in threads.
"""

from __future__ import annotations

import json
import math
import re
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, Experiment, Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from numpy.typing import NDArray

from nettuner.models.study import Goal, Proposal, Study, Trial
from nettuner.tasks.home import AS_TRAINING, home, mlflow_ui, tracking_uri
from nettuner.tasks.memory.trial_tags import LONGEST_REASON, to_tags

if TYPE_CHECKING:
    import pandas as pd

Picture = tuple[str, int, NDArray[np.uint8]]
"""Name, training step, and the image."""

NOTE = "mlflow.note.content"
PARENT = "mlflow.parentRunId"
KIND = "nettuner.kind"
STRATEGY = "nettuner.strategy"
DIGEST = "nettuner.study_digest"
DATA = "nettuner.data_fingerprint"
REASON = "nettuner.reason"
PREFECT = "nettuner.prefect_run"
MEMBER = "nettuner.member"
COPIED = "nettuner.copied"
STUDY = "study.json"
SEGMENTS = "segments"

# MLflow's pages show an experiment with this as model training, and runs with that as ours.
SHOWN_AS_TRAINING = {"mlflow.experimentKind": "custom_model_development"}
SOURCE = {"mlflow.source.name": "nettuner", "mlflow.source.type": "LOCAL"}

# Metrics of a running trial are sent when so many rounds have come together, so that they are
# seen early, and a trial of 20 rounds costs six calls.
FLUSH_ROUNDS = 7
FLUSH_SECONDS = 2.0
# A member of a population that trains in a stack has its segments sent at least so often.
LATER_SECONDS = 10.0

# MLflow's own limits: of one batch, of a metric's name.
MOST_METRICS = 900
MOST_PARAMS_AND_TAGS = 100
LONGEST_NAME = 250
FORBIDDEN = re.compile(r"[^\w.:/ -]")


def client() -> MlflowClient:
    """A client of the store; creates the database where it is a local one."""
    return MlflowClient(tracking_uri())


def run_url(experiment_id: str, run_id: str) -> str:
    """Where people see a run."""
    return f"{mlflow_ui()}/#/experiments/{experiment_id}/runs/{run_id}{AS_TRAINING}"


def find_experiment(mlflow: MlflowClient, study: str) -> Experiment | None:
    """The study's experiment, if it was ever searched."""
    return mlflow.get_experiment_by_name(study)


def _experiment(mlflow: MlflowClient, study: Study, goal: Goal) -> str:
    known = find_experiment(mlflow, study.name)
    if known is not None and known.lifecycle_stage == "deleted":
        raise ValueError(
            f"the experiment {study.name!r} was deleted in MLflow; restore it there "
            "or give the study another name"
        )
    if known is not None:
        return str(known.experiment_id)
    local = tracking_uri().startswith("sqlite")
    folder = home() / "artifacts" / study.name
    note = (
        f"Study **{study.name}**: `{Path(study.learner).name}`, {goal.direction} `{goal.metric}`. "
        "One parent run a search, one child run a trial."
    )
    try:
        return str(
            mlflow.create_experiment(
                study.name,
                artifact_location=folder.as_uri() if local else None,
                tags={NOTE: note, KIND: "study", **SHOWN_AS_TRAINING},
            )
        )
    except MlflowException:  # another search of the study was faster
        found = find_experiment(mlflow, study.name)
        if found is None:
            raise
        return str(found.experiment_id)


@dataclass(frozen=True)
class Facts:
    """What is recorded of a search beside the study: all that makes it repeatable.

    Its kind is `search`, or `replay` of the search that `tags` tell of.
    """

    strategy: str
    settings: Mapping[str, Any]
    digest: str
    fingerprint: str
    data_name: str
    structural: frozenset[str]
    prefect_run: str | None
    kind: str = "search"
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def what(self) -> str:
        """What this is, as words."""
        return self.kind if self.kind == self.strategy else f"{self.strategy} {self.kind}"


def start_search(mlflow: MlflowClient, study: Study, goal: Goal, facts: Facts) -> SearchRecord:
    """Open the parent run of a new search."""
    experiment = _experiment(mlflow, study, goal)
    name = f"{facts.strategy} {time.strftime('%Y-%m-%d %H:%M:%S')}"
    tags = {
        KIND: facts.kind,
        STRATEGY: facts.strategy,
        DIGEST: facts.digest,
        DATA: facts.fingerprint,
        "nettuner.metric": goal.metric,
        "nettuner.direction": goal.direction,
        "nettuner.round_unit": study.unit,
        "nettuner.rounds": str(study.rounds),
        **facts.tags,
    }
    run = mlflow.create_run(experiment, tags={**tags, **SOURCE}, run_name=name)
    record = SearchRecord(mlflow, run, goal, facts)
    described = study.model_dump(mode="json", exclude_defaults=True)
    params = {
        "strategy": facts.strategy,
        "learner": Path(study.learner).name,
        "seed": study.seed,
        "length": f"{study.steps} steps" if study.steps else f"{study.rounds} epochs",
        **{f"strategy.{name}": value for name, value in facts.settings.items()},
        **{f"stop.{name}": value for name, value in described.get("stop", {}).items()},
        **{f"space.{name}": dimension.support() for name, dimension in study.space.items()},
    }
    entries = [Param(name, str(value)[:6000]) for name, value in params.items()]
    for first in range(0, len(entries), 90):
        mlflow.log_batch(record.run_id, params=entries[first : first + 90])
    if facts.fingerprint:
        data = Dataset(facts.data_name, facts.fingerprint, "local", facts.data_name)
        mlflow.log_inputs(record.run_id, [DatasetInput(data)])
    mlflow.log_dict(record.run_id, study.model_dump(mode="json", exclude_unset=True), STUDY)
    record.link(facts.prefect_run)
    return record


class SearchRecord:
    """The parent run of one search, and through it the runs of its trials."""

    def __init__(self, mlflow: MlflowClient, run: Run, goal: Goal, facts: Facts) -> None:
        self.mlflow = mlflow
        self.goal = goal
        self.facts = facts
        self.run_id: str = run.info.run_id
        self.name: str = run.info.run_name
        self.experiment_id: str = run.info.experiment_id
        self.artifacts: str = run.info.artifact_uri
        self.began: float = run.info.start_time / 1000
        # The flow run that drove it before a resume.
        self.driven_by: str | None = run.data.tags.get(PREFECT)
        self._members: dict[int, TrialRecord] = {}

    @property
    def url(self) -> str:
        """Where people see the search."""
        return run_url(self.experiment_id, self.run_id)

    def link(self, prefect_run: str | None) -> None:
        """Point from the search to the flow run that drives it."""
        if prefect_run:
            self.mlflow.set_tag(self.run_id, PREFECT, prefect_run)

    def begin(
        self,
        proposal: Proposal,
        seed: Sequence[int],
        step: int,
        prefect_run: str | None,
        parent: Trial | None = None,
    ) -> TrialRecord:
        """Open the run of a trial; the segments of one member share theirs.

        Args:
            proposal: The trial.
            seed: The numbers that its randomness derives from: the study's seed, and its own.
            step: The training step at which it starts or goes on.
            prefect_run: Address of its task run.
            parent: The trial whose weights it continues from.
        """
        known = None if proposal.member is None else self._members.get(proposal.member)
        if known is not None:
            known.go_on(proposal, step, parent)
            return known
        alone = proposal.member is None
        name = f"trial {proposal.number}" if alone else f"member {proposal.member}"
        tags = {
            PARENT: self.run_id,
            KIND: "trial" if alone else "member",
            STRATEGY: self.facts.strategy,
            DATA: self.facts.fingerprint,
            "nettuner.search": self.name,
            "nettuner.seed": ", ".join(map(str, seed)),
            **({} if alone else {MEMBER: str(proposal.member)}),
            NOTE: f"{name} of the {self.facts.what} [{self.name}]({self.url})",
        }
        if prefect_run:
            tags[PREFECT] = prefect_run
        run = self.mlflow.create_run(self.experiment_id, tags={**tags, **SOURCE}, run_name=name)
        record = TrialRecord(self, run.info.run_id, proposal, tags[NOTE], fresh=True)
        record.go_on(proposal, step, parent)
        if proposal.member is not None:
            self._members[proposal.member] = record
        return record

    def improved(self, trial: Trial, ended_trials: int) -> None:
        """Record a new best: a curve over trials on the search's own run."""
        assert trial.score is not None
        curve = {f"best_{self.goal.metric}": self.goal.value(trial.score)}
        self.mlflow.log_batch(self.run_id, finite_metrics(ended_trials, time.time(), curve))

    def finish(
        self,
        status: str,
        note: str,
        metrics: Mapping[str, float],
        params: Mapping[str, Any],
        reason: str | None = None,
    ) -> None:
        """Close the search, and the members' runs that stay open between their segments.

        What was kept for a resume is deleted where the search has finished.
        """
        for member in self._members.values():
            member.close(status)
        tags = {NOTE: note, **({REASON: reason} if reason else {})}
        tags |= {f"best.{name}": str(value) for name, value in params.items()}
        self.mlflow.log_batch(
            self.run_id, metrics=finite_metrics(0, time.time(), metrics), tags=_tags(tags)
        )
        self.mlflow.set_terminated(self.run_id, status)
        if status == "FINISHED" and self._members:
            self._forget_segments()

    def _forget_segments(self) -> None:
        """Delete what `keep_segment` kept: the members' own runs have all of it by now."""
        with suppress(Exception):  # a store may forbid it; then the files stay, which harms nobody
            # MLflow's client itself cannot delete what a run keeps.
            store = get_artifact_repository(self.artifacts, self.mlflow.tracking_uri)
            store.delete_artifacts(SEGMENTS)  # type: ignore[no-untyped-call]

    def keep(self, name: str, content: Mapping[str, Any]) -> None:
        """Keep a mapping with the search, as a JSON file of this name."""
        self.mlflow.log_dict(self.run_id, dict(content), name)

    def keep_file(self, path: Path) -> None:
        """Keep a file with the search."""
        self.mlflow.log_artifact(self.run_id, str(path))

    def keep_table(self, name: str, table: pd.DataFrame) -> None:
        """Keep a table with the search, as MLflow shows one; once."""
        if self.kept(name) is None:  # MLflow would append to it
            self.mlflow.log_table(self.run_id, table, name)

    def kept(self, name: str) -> dict[str, Any] | None:
        """What was kept under this name; None if nothing was."""
        if not any(file.path == name for file in self.mlflow.list_artifacts(self.run_id)):
            return None
        with tempfile.TemporaryDirectory() as folder:
            file = Path(self.mlflow.download_artifacts(self.run_id, name, folder))
            found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return found

    def keep_segment(self, number: int, records: Iterable[TrialRecord]) -> None:
        """Keep what was not sent yet of some members, in one go, for a resume.

        Args:
            number: Of the first of the trials that have just ended.
            records: Of the members.
        """
        waiting = {r.run_id: r.waiting() for r in records if r.waits}
        if waiting:
            self.mlflow.log_dict(self.run_id, waiting, f"{SEGMENTS}/{number}.json")

    def adopt(self, member: int, run_id: str, proposal: Proposal) -> None:
        """Go on with the run of a member after a resume; `proposal` is its latest."""
        note = self.mlflow.get_run(run_id).data.tags.get(NOTE, "")
        self._members[member] = TrialRecord(self, run_id, proposal, note, fresh=False)
        self.mlflow.update_run(run_id, status="RUNNING")


class TrialRecord:
    """The run of one trial, or of a population's member through all of its segments."""

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
        """Where people see it."""
        return run_url(self.search.experiment_id, self.run_id)

    def go_on(self, proposal: Proposal, step: int, parent: Trial | None) -> None:
        """Take the hyperparameters of a segment that starts at a training step."""
        self.proposal = proposal
        source = parent.proposal.member if parent else None
        if source not in (None, proposal.member):
            self._note += f"  \nAt step {step} it went on from a copy of member {source}."
            self._tags |= {f"{COPIED}.after-{step}": f"member {source}", NOTE: self._note}
        self._waiting += self._as_metrics(step)
        self._tags |= self._as_tags()

    def _changing(self) -> dict[str, Any]:
        """Hyperparameters that may change during the life of a population's member."""
        if self.proposal.member is None:
            return {}
        structural = self.search.facts.structural
        return {name: v for name, v in self.proposal.params.items() if name not in structural}

    def _as_params(self) -> list[Param]:
        changing = self._changing()
        fixed = {n: v for n, v in self.proposal.params.items() if n not in changing}
        return [Param(name, str(value)) for name, value in fixed.items()]

    def _as_metrics(self, step: int) -> list[Metric]:
        """Changing hyperparameters as stepped metrics: MLflow's params are immutable."""
        now = int(time.time() * 1000)
        return [
            Metric(f"hyperparameter/{name}", float(value), now, step)
            for name, value in self._changing().items()
            if not isinstance(value, str)
        ]

    def _as_tags(self) -> dict[str, str]:
        words = {n: v for n, v in self._changing().items() if isinstance(v, str)}
        return {f"hyperparameter.{name}": value for name, value in words.items()}

    def report(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take the metrics of finished rounds; sends them in batches."""
        for row in rows:
            self._waiting += finite_metrics(row["step"], row["time"], row["metrics"])
            self._rounds += 1
        waited = time.monotonic() - self._sent
        if self._rounds >= FLUSH_ROUNDS and waited >= FLUSH_SECONDS:
            self._flush({})

    def show(self, pictures: Iterable[Picture]) -> None:
        """Take pictures, which MLflow shows over the steps."""
        for name, step, image in pictures:
            self.search.mlflow.log_image(self.run_id, image, key=name, step=step)

    def _flush(self, tags: Mapping[str, str]) -> None:
        self._tags |= tags
        send(self.search.mlflow, self.run_id, self._waiting, self._params, self._tags)
        self._waiting, self._params, self._tags, self._rounds = [], [], {}, 0
        self._sent = time.monotonic()

    def finish(self, trial: Trial, *, last: bool, later: bool = False) -> None:
        """Record what came of it; closes the run unless its member goes on.

        Args:
            trial: What came of it.
            last: Whether nothing continues it.
            later: Whether what is told of a member that goes on may be sent some time later, as
                the search has it elsewhere.
        """
        tags = to_tags(trial)
        if trial.reason:
            tags[REASON] = trial.reason[:LONGEST_REASON]
        if trial.proposal.member is None:
            self._waiting += finite_metrics(0, time.time(), {"seconds": trial.seconds})
        if later and not last and time.monotonic() - self._sent < LATER_SECONDS:
            self._tags |= tags
            return
        self._flush(tags)
        if last:
            status = "FINISHED" if trial.succeeded else "FAILED"
            self.search.mlflow.set_terminated(self.run_id, status)

    def interrupted(self, reason: str) -> None:
        """Close the run of a trial that was stopped before it could end."""
        self._flush({REASON: reason})
        self.search.mlflow.set_terminated(self.run_id, "KILLED")

    @property
    def waits(self) -> bool:
        """Whether something was not sent yet."""
        return bool(self._waiting or self._params or self._tags)

    def waiting(self) -> dict[str, Any]:
        """What was not sent yet, as `send` takes it."""
        return {
            "metrics": [[m.key, m.value, m.timestamp, m.step] for m in self._waiting],
            "params": {param.key: param.value for param in self._params},
            "tags": self._tags,
        }

    def close(self, status: str) -> None:
        """Send what waits, and close the run."""
        self._flush({})
        self.search.mlflow.set_terminated(self.run_id, status)


def send(
    mlflow: MlflowClient,
    run_id: str,
    metrics: Sequence[Metric],
    params: Sequence[Param],
    tags: Mapping[str, str],
) -> None:
    """Send all of this to a run, in batches as large as MLflow takes; what it has, it keeps."""
    entries = _tags(tags)
    while metrics or params or entries:
        now = entries[:MOST_PARAMS_AND_TAGS]
        fitting = MOST_PARAMS_AND_TAGS - len(now)
        mlflow.log_batch(run_id, metrics[:MOST_METRICS], params[:fitting], now)
        metrics, params = metrics[MOST_METRICS:], params[fitting:]
        entries = entries[MOST_PARAMS_AND_TAGS:]


def resend(mlflow: MlflowClient, run_id: str, waiting: Mapping[str, Any]) -> None:
    """Send what `TrialRecord.waiting` told."""
    metrics = [Metric(*metric) for metric in waiting["metrics"]]
    params = [Param(name, value) for name, value in waiting["params"].items()]
    send(mlflow, run_id, metrics, params, waiting["tags"])


def finite_metrics(step: int, at: float, values: Mapping[str, float]) -> list[Metric]:
    """What MLflow can keep of some metrics: finite values, under names that it allows.

    It would store infinity as the largest number there is.
    """
    return [
        Metric(FORBIDDEN.sub("_", name)[:LONGEST_NAME], float(value), int(at * 1000), int(step))
        for name, value in values.items()
        if math.isfinite(value)
    ]


def _tags(tags: Mapping[str, str]) -> list[RunTag]:
    return [RunTag(name, value) for name, value in tags.items()]
