"""Searches and trials read back from MLflow: to compare, to list, to go on with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, cast

from nettuner.models.address import without_account
from nettuner.models.segments import best_of_each
from nettuner.models.study import Direction, Goal, Study, Trial, best
from nettuner.tasks import strategies
from nettuner.tasks.home import tracking_uri
from nettuner.tasks.memory import tags as names
from nettuner.tasks.memory.left_over import send_left_over
from nettuner.tasks.memory.trial_tags import Final, finals_from_tags, from_tags

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run

    from nettuner.tasks.memory import rest_reader
    from nettuner.tasks.memory.reader import Reader

PAGE = 1000
UNFINISHED = ("RUNNING", "KILLED", "FAILED")


@dataclass(frozen=True)
class Children:
    """The runs of a search's trials, as they are recorded.

    Args:
        trials: Trials in the order in which they ended.
        unfinished: Run ids of trials that never ended.
        members: Run ids of a population's members, by member.
        runs: Run ids of trials that ended, by number.
    """

    trials: list[Trial]
    unfinished: list[str] = field(default_factory=list)
    members: dict[int, str] = field(default_factory=dict)
    runs: dict[int, str] = field(default_factory=dict)


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
        ended: Why it ended, once its finals have begun; None before, and where there are none.
        finals: What came of each finalist, the best first; empty without finals.
        chosen: Number of the trial that it answers with; None before the end.
        recorded_best: The best metric so far, as people see it; None before the first success.
        fingerprint: Fingerprint of its data; empty where a function brings its own.
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
    ended: str | None = None
    finals: Sequence[Final] = ()
    chosen: int | None = None
    recorded_best: float | None = None
    fingerprint: str = ""

    @cached_property
    def children(self) -> Children:
        """The runs of its trials."""
        return self.read()

    @property
    def trials(self) -> list[Trial]:
        """Trials in the order in which they ended."""
        return self.children.trials

    @property
    def networks(self) -> list[Trial]:
        """One trial for each network where configurations are continued; else all trials.

        A member of a population changes with every segment, so these stay apart.
        """
        if not self.members or strategies.find(self.strategy).continues != "itself":
            return self.trials
        return best_of_each(self.trials)

    @property
    def winner(self) -> Trial | None:
        """The trial it answers with, the best so far, or the winner of the finals with its scores
        there; None without one."""
        for final in self.finals[:1]:
            for trial in self.trials:
                if trial.number == final.number:
                    return final.applied_to(trial)
        chosen = (trial for trial in self.trials if trial.number == self.chosen)
        return next(chosen, None) or best(self.trials)

    @property
    def unfinished(self) -> list[str]:
        """Run ids of trials that never ended."""
        return self.children.unfinished

    @property
    def members(self) -> dict[int, str]:
        """Run ids of a population's members, by member."""
        return self.children.members


def searches(mlflow: Reader, study: str) -> list[PastSearch]:
    """All searches of a study, the oldest first.

    Raises:
        ValueError: The study was never searched.
    """
    send_left_over(tracking_uri())
    experiment = mlflow.get_experiment_by_name(study)
    if experiment is None:
        raise ValueError(
            f"no study named {study!r} was searched so far in "
            f"{without_account(tracking_uri())}; "
            "search it first, or set NETTUNER_HOME or MLFLOW_TRACKING_URI to where it was"
        )
    where = experiment.experiment_id
    parents = _runs(mlflow, where, f"tags.`{names.KIND}` = 'search'")
    return sorted((_past(mlflow, run) for run in parents), key=lambda search: search.began)


def every_search(mlflow: Reader) -> dict[str, list[PastSearch]]:
    """All searches of each study, the oldest first; the study that was searched last is the last.

    Without their trials: what is asked of these is read then.
    """
    send_left_over(tracking_uri())
    found: dict[str, list[PastSearch]] = {}
    for experiment in _experiments(mlflow):
        parents = _runs(mlflow, experiment.experiment_id, f"tags.`{names.KIND}` = 'search'")
        past = sorted((_past(mlflow, run) for run in parents), key=lambda search: search.began)
        if past:
            found[experiment.name] = past
    return dict(sorted(found.items(), key=lambda study: study[1][-1].began))


def _experiments(mlflow: Reader) -> Iterator[Experiment | rest_reader.Experiment]:
    token = None
    while True:
        page = mlflow.search_experiments(max_results=PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def latest(mlflow: Reader, study: str) -> PastSearch:
    """The search of a study that began last.

    Raises:
        ValueError: The study was never searched.
    """
    found = searches(mlflow, study)
    if not found:
        raise ValueError(f"no search of {study!r} has begun so far; give the study's file")
    return found[-1]


def population(mlflow: Reader, study: str, name: str | None = None) -> PastSearch:
    """The latest population search of a study that is finished, or the one of this name.

    Raises:
        ValueError: There is none.
    """
    done = [s for s in searches(mlflow, study) if s.status == "FINISHED"]
    done = [s for s in done if s.members and strategies.find(s.strategy).continues == "others"]
    named = (s for s in reversed(done) if name in (None, s.name, s.run_id))
    found = next(named, None)
    if found is not None:
        return found
    known = [repr(search.name) for search in done]
    if not known:
        raise ValueError(
            f"no population search of {study!r} is finished; search it first, with "
            "--strategy population"
        )
    raise ValueError(
        f"{study!r} has no finished population search {name!r}; its latest are: "
        f"{', '.join(known[-5:])}"
    )


def finished(mlflow: Reader, study: str, name: str | None = None) -> PastSearch:
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


def finals_of(mlflow: Reader, past: PastSearch) -> PastSearch | None:
    """The finals of a search that began last; None if there are none."""
    condition = f"tags.`{names.KIND}` = 'finals' and tags.`{names.FINALS_OF}` = '{past.run_id}'"
    found = [_past(mlflow, run) for run in _runs(mlflow, past.experiment_id, condition)]
    return max(found, key=lambda finals: finals.began, default=None)


def as_searched(mlflow: Reader, past: PastSearch) -> Study:
    """The study as it was when this search of it began."""
    with TemporaryDirectory() as folder:
        path = Path(mlflow.download_artifacts(past.run_id, names.STUDY_FILE, folder))
        return Study.model_validate_json(path.read_text(encoding="utf-8"))


def of_run(mlflow: MlflowClient, run_id: str) -> PastSearch:
    """The search with this run."""
    return _past(mlflow, mlflow.get_run(run_id))


def kept_file(mlflow: Reader, run_id: str, name: str) -> bytes | None:
    """An artifact of a run; None where it has none of this name."""
    with TemporaryDirectory() as folder:
        try:
            return Path(mlflow.download_artifacts(run_id, name, folder)).read_bytes()
        except Exception:  # stores have no one exception for what they do not have
            return None


def traceback_of(mlflow: Reader, past: PastSearch, number: int) -> str | None:
    """The traceback of a failed trial, or what its process printed last; None without either."""
    run_id = past.children.runs.get(number)
    kept = kept_file(mlflow, run_id, names.TRACEBACK.format(number)) if run_id else None
    return None if kept is None else kept.decode(errors="replace")


def _runs(mlflow: Reader, experiment_id: str, condition: str) -> Iterator[Run | rest_reader.Run]:
    token = None
    while True:
        page = mlflow.search_runs([experiment_id], condition, max_results=PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _past(mlflow: Reader, parent: Run | rest_reader.Run) -> PastSearch:
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
        recorded_best=parent.data.metrics.get(f"{names.BEST_SO_FAR}{tags[names.METRIC]}"),
        read=partial(_children, mlflow, parent),
        ended=tags.get(names.ENDED),
        finals=finals_from_tags(tags),
        chosen=int(tags[names.WINNER]) if names.WINNER in tags else None,
        fingerprint=tags.get(names.DATA, ""),
    )


def _children(mlflow: Reader, parent: Run | rest_reader.Run) -> Children:
    info = parent.info
    trials: list[Trial] = []
    unfinished: list[str] = []
    members: dict[int, str] = {}
    runs: dict[int, str] = {}
    condition = f"tags.`{names.PARENT}` = '{info.run_id}'"
    for run in _runs(mlflow, info.experiment_id, condition):
        ended = [*from_tags(run.data.tags)]
        trials += ended
        runs |= {trial.number: run.info.run_id for trial in ended}
        if names.MEMBER in run.data.tags:
            members[int(run.data.tags[names.MEMBER])] = run.info.run_id
        elif run.info.status == "RUNNING":
            unfinished.append(run.info.run_id)
    return Children(
        sorted(trials, key=lambda trial: (trial.ended, trial.number)), unfinished, members, runs
    )
