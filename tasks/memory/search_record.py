"""The MLflow run of a search, and the runs of its trials.

Experiment = study, parent run = search, child run = trial (or member of a population).
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nettuner.models.data.profile import Profile
from nettuner.models.spread import DEVIATION
from nettuner.models.study import Goal, Proposal, Study, Trial
from nettuner.tasks.memory import tags as names
from nettuner.tasks.memory.events import ended, kept_text, logged, opened, trained_on
from nettuner.tasks.memory.experiment import experiment_of
from nettuner.tasks.memory.left_over import send_left_over
from nettuner.tasks.memory.metrics import finite_metrics
from nettuner.tasks.memory.recorder import Recorder
from nettuner.tasks.memory.search_name import search_name
from nettuner.tasks.memory.store import run_url
from nettuner.tasks.memory.trial_record import TrialRecord
from nettuner.tasks.memory.trial_tags import LONGEST_PARAM, LONGEST_REASON, finals_to_tags
from nettuner.tasks.memory.writer import new_run
from nettuner.tasks.strategies import Continues
from nettuner.tasks.strategy_names import in_words

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities import Run

    from nettuner.tasks.workers.pool import Pool


@dataclass(frozen=True)
class Facts:
    """What is recorded about a search besides the study, so that it can be repeated.

    `kind` is `search`, `replay` or `finals`; the latter two are `of` a search, which `tags` name.
    `continues` says what its trials may go on from.
    """

    strategy: str
    settings: Mapping[str, Any]
    digest: str
    fingerprint: str
    data_name: str
    structural: frozenset[str]
    prefect_run: str | None
    kind: str = "search"
    of: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    profile: Profile | None = None
    continues: Continues = "nothing"

    @property
    def what(self) -> str:
        """Kind and strategy, for people."""
        alike = self.kind == self.strategy
        return self.kind if alike else f"{in_words(self.strategy)} {self.kind}"


def start_search(
    mlflow: MlflowClient, study: Study, goal: Goal, facts: Facts, pool: Pool | None = None
) -> SearchRecord:
    """Open the parent run of a new search; what searches that were killed had left is sent.

    Args:
        mlflow: MLflow client.
        study: Study that is searched.
        goal: Metric and direction.
        facts: Facts of the search.
        pool: Workers, one of which can import MLflow in place of this process; None for none.
    """
    send_left_over(mlflow.tracking_uri)
    experiment = experiment_of(mlflow, study, goal, pool)
    name = (
        f"{facts.of} {facts.kind}"
        if facts.of
        else search_name(mlflow, experiment, facts.strategy, pool)
    )
    tags = {
        names.SCHEMA: str(names.VERSION),
        names.KIND: facts.kind,
        names.STRATEGY: facts.strategy,
        names.DIGEST: facts.digest,
        names.DATA: facts.fingerprint,
        names.METRIC: goal.metric,
        names.DIRECTION: goal.direction,
        names.ROUND_UNIT: study.unit,
        names.ROUNDS: str(study.rounds),
        **facts.tags,
    }
    described = study.model_dump(mode="json", exclude_defaults=True)
    params: dict[str, Any] = {
        "strategy": facts.strategy,
        "learner": Path(study.learner).name,
        "seed": study.seed,
        "length": f"{study.steps} steps" if study.steps else f"{study.rounds} epochs",
        **{key: described[key] for key in ("repeats", "folds", "finals") if key in described},
        **{f"strategy.{name}": value for name, value in facts.settings.items()},
        **{f"stop.{name}": value for name, value in described.get("stop", {}).items()},
        **{f"space.{name}": dimension.support() for name, dimension in study.space.items()},
    }
    tags |= names.SOURCE | ({names.PREFECT: facts.prefect_run} if facts.prefect_run else {})
    run_id = new_run(mlflow, experiment, name, tags)
    record = SearchRecord(mlflow, Opened(run_id, name, experiment, time.time()), goal, facts)
    told = {name: str(value)[:LONGEST_PARAM] for name, value in params.items()}
    text = json.dumps(study.model_dump(mode="json", exclude_unset=True), indent=2, default=str)
    record.recorder.add(
        opened(record.run_id, experiment, name, tags),
        logged(record.run_id, params=told),
        kept_text(record.run_id, names.STUDY_FILE, text),
    )
    if facts.fingerprint:
        known = facts.profile
        schema, profile = ("", "") if known is None else (known.schema(), known.facts())
        record.recorder.add(
            trained_on(record.run_id, facts.data_name, facts.fingerprint, schema, profile)
        )
    return record


@dataclass(frozen=True)
class Opened:
    """The run of a search that goes on.

    Args:
        run_id, name, experiment_id: Of the run.
        began: Time when it began, seconds since 1970.
        driven_by: URL of the flow run that executed the search before; None for a new one.
    """

    run_id: str
    name: str
    experiment_id: str
    began: float
    driven_by: str | None = None

    @classmethod
    def again(cls, run: Run) -> Opened:
        """The run of a search from before."""
        info = run.info
        driven_by = run.data.tags.get(names.PREFECT)
        return cls(
            info.run_id, info.run_name, info.experiment_id, info.start_time / 1000, driven_by
        )


class SearchRecord:
    """The parent run of one search, with the runs of its trials.

    What happens while it trains goes to the store through its recorder, so nothing waits for that;
    what is read from the store is asked for at once.
    """

    def __init__(self, mlflow: MlflowClient, run: Opened, goal: Goal, facts: Facts) -> None:
        self.mlflow = mlflow
        self.recorder = Recorder(mlflow, run.run_id)
        self.goal = goal
        self.facts = facts
        self.run_id = run.run_id
        self.name = run.name
        self.experiment_id = run.experiment_id
        self.began = run.began
        self.driven_by = run.driven_by
        self._members: dict[int, TrialRecord] = {}
        self._remarks: dict[str, None] = {}

    @property
    def _written(self) -> MlflowClient:
        """The client of a store that has everything that was recorded so far."""
        self.recorder.drain()
        return self.mlflow

    @property
    def url(self) -> str:
        """URL of the search's MLflow run."""
        return run_url(self.experiment_id, self.run_id)

    def link(self, prefect_run: str | None) -> None:
        """Record the URL of the flow run that executes the search."""
        if prefect_run:
            self.recorder.add(logged(self.run_id, tags={names.PREFECT: prefect_run}))

    def begin(
        self,
        proposal: Proposal,
        seed: Sequence[int],
        step: int,
        prefect_run: str | None,
        parent: Trial | None = None,
        device: str = "cpu",
    ) -> TrialRecord:
        """Open the run of a trial; the segments of one member share a run.

        Args:
            proposal: Proposal of the trial.
            seed: Seed of the trial: the study's seed, and the trial's own number.
            step: Training step at which it starts or continues.
            prefect_run: URL of its task run.
            parent: Trial whose weights it continues from; None starts anew.
            device: Device that it is trained on, with its name.
        """
        known = None if proposal.member is None else self._members.get(proposal.member)
        if known is not None:
            known.go_on(proposal, step, parent, device)
            return known
        alone = proposal.member is None
        of_member = "configuration" if self.facts.continues == "itself" else "member"
        name = f"trial {proposal.number}" if alone else f"{of_member} {proposal.member}"
        tags = {
            names.PARENT: self.run_id,
            names.KIND: "trial" if alone else "member",
            names.STRATEGY: self.facts.strategy,
            names.DATA: self.facts.fingerprint,
            names.SEARCH: self.name,
            names.SEED: ", ".join(map(str, seed)),
            **({} if alone else {names.MEMBER: str(proposal.member)}),
            names.NOTE: f"{name} of the {self.facts.what} [{self.name}]({self.url})",
        }
        if prefect_run:
            tags[names.PREFECT] = prefect_run
        tags |= names.SOURCE
        run_id = new_run(self.mlflow, self.experiment_id, name, tags)
        self.recorder.add(opened(run_id, self.experiment_id, name, tags))
        record = TrialRecord(self, run_id, proposal, tags[names.NOTE])
        record.begin(step, parent, device)
        if proposal.member is not None:
            self._members[proposal.member] = record
        return record

    def improved(self, trial: Trial, trained: int) -> None:
        """Record a new best as a curve over all that was trained, on the search's own run.

        Args:
            trial: The best trial so far.
            trained: Rounds trained in all trials so far; their number where they have no rounds.
        """
        assert trial.score is not None
        curve = {f"{names.BEST_SO_FAR}{self.goal.metric}": self.goal.value(trial.score)}
        self.recorder.add(logged(self.run_id, finite_metrics(trained, time.time(), curve)))

    def remark(self, text: str) -> None:
        """Add a remark to the search's note; repeated ones are added once."""
        self._remarks[text] = None

    def finish(
        self,
        status: str,
        note: str,
        metrics: Mapping[str, float],
        params: Mapping[str, Any],
        reason: str | None = None,
        winner: int | None = None,
    ) -> None:
        """Close the search's run, and the members' runs, which stay open between segments.

        Waits until everything is in the store.
        """
        for member in self._members.values():
            member.close(status)
        note = "\n\n".join([note, *self._remarks])
        tags = {names.NOTE: note, **({names.REASON: reason} if reason else {})}
        tags |= {f"{names.BEST}{name}": str(value) for name, value in params.items()}
        if winner is not None:
            tags[names.WINNER] = str(winner)
        told = logged(self.run_id, finite_metrics(0, time.time(), metrics), {}, tags)
        self.recorder.add(told, ended(self.run_id, status))
        self.recorder.close()

    def finals_begin(self, reason: str) -> None:
        """Record that the search has ended but for its finals, and why."""
        self.recorder.add(logged(self.run_id, tags={names.ENDED: reason[:LONGEST_REASON]}))

    def finals_end(self, ranked: Sequence[Trial], url: str) -> None:
        """Record what came of the finals.

        Args:
            ranked: Finalists with their scores in the finals, the best first.
            url: URL of the finals' run.
        """
        winner = ranked[0]
        assert winner.score is not None
        final = {f"final_{self.goal.metric}": self.goal.value(winner.score)}
        if winner.spread is not None:
            final[f"final_{self.goal.metric}{DEVIATION}"] = winner.spread
        metrics = finite_metrics(0, time.time(), final)
        tags = {names.FINALS: url, **finals_to_tags(ranked)}
        self.recorder.add(logged(self.run_id, metrics, {}, tags))

    def not_exported(self, reason: str) -> None:
        """Say why there is no model of the winner."""
        self.recorder.add(logged(self.run_id, tags={names.MODEL: f"not exported: {reason}"}))

    def keep(self, name: str, content: Mapping[str, Any]) -> None:
        """Store a mapping as a JSON artifact of the search."""
        self.recorder.add(kept_text(self.run_id, name, json.dumps(content, indent=2, default=str)))

    def keep_file(self, path: Path) -> None:
        """Store a file as an artifact of the search."""
        self._written.log_artifact(self.run_id, str(path))

    def keep_table(self, name: str, table: pd.DataFrame) -> None:
        """Store a table as an artifact of the search, unless it exists."""
        if self.kept(name) is None:  # MLflow would append to it
            self._written.log_table(self.run_id, table, name)

    def kept(self, name: str) -> dict[str, Any] | None:
        """The JSON artifact of this name; None if there is none."""
        if not any(file.path == name for file in self._written.list_artifacts(self.run_id)):
            return None
        with tempfile.TemporaryDirectory() as folder:
            file = Path(self.mlflow.download_artifacts(self.run_id, name, folder))
            found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return found

    def adopt(self, member: int, run_id: str, proposal: Proposal) -> None:
        """Continue the run of a member after a resume; `proposal` is its latest."""
        note = self._written.get_run(run_id).data.tags.get(names.NOTE, "")
        self._members[member] = TrialRecord(self, run_id, proposal, note)
        self.mlflow.update_run(run_id, status="RUNNING")
