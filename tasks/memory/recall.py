"""Searches and trials read back from MLflow: to go on, to compare, to list."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

from nettuner.models.address import without_account
from nettuner.models.study import Direction, Goal, Study, Trial, best
from nettuner.tasks.home import tracking_uri
from nettuner.tasks.memory import search_record, store
from nettuner.tasks.memory import tags as names
from nettuner.tasks.memory.trial_tags import from_tags

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

PAGE = 1000
UNFINISHED = ("RUNNING", "KILLED", "FAILED")


@dataclass(frozen=True)
class Children:
    """The runs of a search's trials, as they are recorded.

    Args:
        trials: Trials in the order in which they ended.
        unfinished: Run ids of trials that never ended.
        members: Run ids of a population's members, by member.
    """

    trials: list[Trial]
    unfinished: list[str] = field(default_factory=list)
    members: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PastSearch:
    """A search as it is recorded; its trials are read when they are first asked for.

    Args:
        run_id, experiment_id, name, status: Facts of its parent run.
        strategy: Name of the strategy.
        digest: Digest of everything in the study that decides its trials.
        goal: Metric and direction.
        rounds: Rounds of one whole trial; 0 where a function decides.
        unit: Unit of a round: epochs, say.
        began: Time of its start, seconds since 1970.
        test: Metrics of the winner on the test rows; empty before the end.
        read: Function that reads the runs of its trials.
    """

    run_id: str
    experiment_id: str
    name: str
    status: str
    strategy: str
    digest: str
    goal: Goal
    rounds: int
    unit: str
    began: float
    test: dict[str, float]
    read: Callable[[], Children]

    @cached_property
    def children(self) -> Children:
        """The runs of its trials."""
        return self.read()

    @property
    def trials(self) -> list[Trial]:
        """Trials in the order in which they ended."""
        return self.children.trials

    @property
    def unfinished(self) -> list[str]:
        """Run ids of trials that never ended."""
        return self.children.unfinished

    @property
    def members(self) -> dict[int, str]:
        """Run ids of a population's members, by member."""
        return self.children.members


def searches(mlflow: MlflowClient, study: str) -> list[PastSearch]:
    """All searches of a study, the oldest first.

    Raises:
        ValueError: The study was never searched.
    """
    experiment = store.find_experiment(mlflow, study)
    if experiment is None:
        raise ValueError(
            f"no study named {study!r} was searched so far in "
            f"{without_account(tracking_uri())}; "
            "search it first, or set NETTUNER_HOME or MLFLOW_TRACKING_URI to where it was"
        )
    where = experiment.experiment_id
    parents = _runs(mlflow, where, f"tags.`{names.KIND}` = 'search'")
    return sorted((_past(mlflow, run) for run in parents), key=lambda search: search.began)


def latest(mlflow: MlflowClient, study: str) -> PastSearch:
    """The search of a study that began last.

    Raises:
        ValueError: The study was never searched.
    """
    found = searches(mlflow, study)
    if not found:
        raise ValueError(f"no search of {study!r} has begun so far; give the study's file")
    return found[-1]


def population(mlflow: MlflowClient, study: str, name: str | None = None) -> PastSearch:
    """The latest population search of a study that is finished, or the one of this name.

    Raises:
        ValueError: There is none.
    """
    done = [s for s in searches(mlflow, study) if s.status == "FINISHED"]
    named = (s for s in reversed(done) if name in (None, s.name, s.run_id) and s.members)
    found = next(named, None)
    if found is not None:
        return found
    known = [repr(search.name) for search in done if search.members]
    if not known:
        raise ValueError(
            f"no population search of {study!r} is finished; search it first, with "
            "--strategy population"
        )
    raise ValueError(
        f"{study!r} has no finished population search {name!r}; its latest are: "
        f"{', '.join(known[-5:])}"
    )


def finished(mlflow: MlflowClient, study: str, name: str | None = None) -> PastSearch:
    """The latest search of a study that is finished, or the one of this name.

    Raises:
        ValueError: There is none.
    """
    found = [search for search in searches(mlflow, study) if search.status == "FINISHED"]
    named = [search for search in found if name in (None, search.name, search.run_id)]
    if not named:
        known = ", ".join(repr(search.name) for search in found[-5:]) or "none"
        which = "finished search" if name is None else f"finished search {name!r}"
        raise ValueError(f"{study!r} has no {which}; finished are: {known}; search it first")
    return named[-1]


def as_searched(mlflow: MlflowClient, past: PastSearch) -> Study:
    """The study as it was when this search of it began."""
    with TemporaryDirectory() as folder:
        path = Path(mlflow.download_artifacts(past.run_id, names.STUDY_FILE, folder))
        return Study.model_validate_json(path.read_text(encoding="utf-8"))


def _runs(mlflow: MlflowClient, experiment_id: str, condition: str) -> Iterator[Run]:
    token = None
    while True:
        page = mlflow.search_runs([experiment_id], condition, max_results=PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _past(mlflow: MlflowClient, parent: Run) -> PastSearch:
    info, tags = parent.info, parent.data.tags
    names.check_version(tags, info.run_name)
    return PastSearch(
        run_id=info.run_id,
        experiment_id=info.experiment_id,
        name=info.run_name,
        status=info.status,
        strategy=tags[names.STRATEGY],
        digest=tags[names.DIGEST],
        goal=Goal(tags[names.METRIC], cast("Direction", tags[names.DIRECTION])),
        rounds=int(tags[names.ROUNDS]),
        unit=tags[names.ROUND_UNIT],
        began=info.start_time / 1000,
        test={k: v for k, v in parent.data.metrics.items() if k.startswith("test_")},
        read=partial(_children, mlflow, parent),
    )


def _children(mlflow: MlflowClient, parent: Run) -> Children:
    info = parent.info
    trials: list[Trial] = []
    unfinished: list[str] = []
    members: dict[int, str] = {}
    condition = f"tags.`{names.PARENT}` = '{info.run_id}'"
    for run in _runs(mlflow, info.experiment_id, condition):
        trials += from_tags(run.data.tags)
        if names.MEMBER in run.data.tags:
            members[int(run.data.tags[names.MEMBER])] = run.info.run_id
        elif run.info.status == "RUNNING":
            unfinished.append(run.info.run_id)
    if info.status in UNFINISHED:
        known = {trial.number for trial in trials}
        kept = (w["tags"] for segment in _segments(mlflow, info.run_id) for w in segment.values())
        found = [trial for tags in kept for trial in from_tags(tags)]
        trials += {t.number: t for t in found if t.number not in known}.values()
    return Children(
        sorted(trials, key=lambda trial: (trial.ended, trial.number)), unfinished, members
    )


def _segments(mlflow: MlflowClient, run_id: str) -> Iterator[dict[str, Any]]:
    """What was kept of a population's members beside their own runs, by these runs."""
    for file in mlflow.list_artifacts(run_id, names.SEGMENTS):
        with TemporaryDirectory() as folder:
            path = Path(mlflow.download_artifacts(run_id, file.path, folder))
            yield json.loads(path.read_text(encoding="utf-8"))


def _restore(mlflow: MlflowClient, run_id: str) -> None:
    """Send to the members' runs what a search that was killed had only kept beside them."""
    for segment in _segments(mlflow, run_id):
        for member, waiting in segment.items():
            store.resend(mlflow, member, waiting)


def to_resume(mlflow: MlflowClient, study: str, facts: search_record.Facts) -> PastSearch:
    """The latest search of this strategy that was interrupted, or failed, and can go on.

    Its trials are not read yet: whoever still runs it may go on until it is held.

    Raises:
        ValueError: There is none, or the study was changed since.
    """
    open_ones = [
        search
        for search in searches(mlflow, study)
        if search.strategy == facts.strategy and search.status in UNFINISHED
    ]
    if not open_ones:
        raise ValueError(
            f"no {facts.strategy} search of {study!r} was interrupted or failed; start one without "
            "--resume"
        )
    past = open_ones[-1]
    if past.digest != facts.digest:
        raise ValueError(
            f"the study {study!r} was changed since {past.name!r} was interrupted; "
            "undo the change (stop rules and width may differ) or start without --resume"
        )
    return past


def resume(
    mlflow: MlflowClient, past: PastSearch, goal: Goal, facts: search_record.Facts
) -> tuple[search_record.SearchRecord, float]:
    """Open a search again.

    Args:
        mlflow: MLflow client.
        past: Search, held by this process.
        goal: Metric and direction.
        facts: Facts of its flow run now.

    Returns:
        Its record, and the seconds it had run.

    Raises:
        ValueError: It has ended meanwhile, or its best weights are gone.
    """
    if mlflow.get_run(past.run_id).info.status == "FINISHED":
        raise ValueError(f"{past.name!r} must be unfinished to go on, got one that has just ended")
    _check_weights(past)
    _restore(mlflow, past.run_id)
    for run_id in past.unfinished:
        mlflow.set_tag(run_id, names.REASON, "interrupted; the trial was asked for again")
        mlflow.set_terminated(run_id, "KILLED")
    for run_id in (past.run_id, *past.members.values()):
        _forget_interruption(mlflow, run_id)
    mlflow.update_run(past.run_id, status="RUNNING")
    record = search_record.SearchRecord(mlflow, mlflow.get_run(past.run_id), goal, facts)
    record.link(facts.prefect_run)
    latest = {t.proposal.member: t.proposal for t in sorted(past.trials, key=lambda t: t.number)}
    for member, run_id in past.members.items():
        if member in latest:
            record.adopt(member, run_id, latest[member])
        else:  # it was begun and never ended a segment: it is begun anew
            mlflow.set_terminated(run_id, "KILLED")
    spent = max((trial.ended for trial in past.trials), default=0.0)
    return record, spent


def _forget_interruption(mlflow: MlflowClient, run_id: str) -> None:
    """A run that goes on no longer has a reason to have ended."""
    run = mlflow.get_run(run_id)
    if run.info.status in UNFINISHED and names.REASON in run.data.tags:
        mlflow.delete_tag(run_id, names.REASON)


def _check_weights(past: PastSearch) -> None:
    """Refuse to go on where the best trial's weights were deleted.

    Raises:
        ValueError: The weights are gone.
    """
    winner = best(past.trials)
    if winner and winner.checkpoint and not Path(winner.checkpoint).is_file():
        raise ValueError(
            f"the weights of trial {winner.number} of {past.name!r} must be there to go on, got "
            f"no {winner.checkpoint}; restore them, or start without --resume"
        )
