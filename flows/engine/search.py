"""The engine that every strategy's flow runs on: propose, train side by side, repeat."""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

from prefect import allow_failure
from prefect.artifacts import create_markdown_artifact
from prefect.futures import PrefectFuture
from prefect.utilities.annotations import quote

from nettuner.flows.engine.record import facts_of, folder_of
from nettuner.flows.prefect_runs.mark_crashed import bury
from nettuner.flows.prefect_runs.outcome import ended
from nettuner.flows.prefect_runs.overdue import superseded
from nettuner.models import learners
from nettuner.models.study import Proposal, Study, Trial, best
from nettuner.tasks.memory import recall
from nettuner.tasks.memory import search_record as track
from nettuner.tasks.memory.warm_start import warmed
from nettuner.tasks.plan import Plan, make_plan
from nettuner.tasks.report import tables as report
from nettuner.tasks.report.population_page import trace
from nettuner.tasks.report.progress import Progress
from nettuner.tasks.training.examine import examine_winner
from nettuner.tasks.training.pool import WorkerPool
from nettuner.tasks.training.propose import propose
from nettuner.tasks.training.share_out import fair_share, kind_of
from nettuner.tasks.training.stack import fail, train_stack
from nettuner.tasks.training.trial import Bench, FailedTrialError, train

Value = TypeVar("Value")

# A strategy whose proposals do not get better by waiting is asked for so many at once.
BATCH = 256
EXHAUSTED = "the strategy has nothing left to propose"


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Args:
        name: Of the search.
        run_id: Of its parent run in MLflow.
        url: Where people see it.
        trials: In the order in which they ended.
        best: The best trial; None if none succeeded.
        test: The best trial's metrics on the test rows.
        ended: Why the search ended, in words.
    """

    name: str
    run_id: str
    url: str
    trials: list[Trial]
    best: Trial | None
    test: dict[str, float]
    ended: str


class SearchFailedError(RuntimeError):
    """The search ended without a result."""


def search(study: Study, resume: bool = False) -> SearchResult:
    """Search the study's space with its strategy; runs inside a Prefect flow.

    Args:
        study: What to search.
        resume: Go on with the latest search of this study and strategy that did not end.

    Raises:
        StudyError: the study makes no sense; nothing was trained.
        ValueError: nothing can be resumed.
        SearchFailedError: no trial succeeded, or too many in a row failed.
        KeyboardInterrupt: stopped by hand; what was finished is kept.
    """
    late = superseded()
    if late is not None:  # Prefect takes a state that a flow returns as that of its run
        return cast("SearchResult", ended("stale", late, None))
    plan = make_plan(study)
    client = track.client()
    facts = facts_of(plan)
    if resume:
        record, history, spent = recall.resume(client, study.name, plan.goal, facts)
        bury(record.driven_by)
    else:
        record, history, spent = track.start_search(client, study, plan.goal, facts), [], 0.0
    plan = replace(plan, strategy=warmed(plan.strategy, client, study.name, record))
    with (
        folder_of(record, resumable=True) as folder,
        WorkerPool(plan.width, study.threads) as pool,
    ):
        bench = Bench(study, plan.goal, pool, record, folder, spent)
        engine = Engine(bench, plan, history)
        engine.train()
        return engine.conclude(engine.best)


class Engine:
    """Keeps `width` trials in flight until the strategy or a stop rule ends the search."""

    def __init__(self, bench: Bench, plan: Plan, history: list[Trial]) -> None:
        self.bench = bench
        self.study = bench.study
        self.plan = plan
        self.history = history
        self.best = best(history)
        self.running: dict[int, Proposal] = {}
        # The nodes in flight, and the trials that each trains.
        self.nodes: dict[int, list[Proposal]] = {}
        self.waiting: deque[Proposal] = deque()
        self.ended: str | None = None
        self.ended_futures: queue.SimpleQueue[int] = queue.SimpleQueue()
        # The nodes of the DAG, for its edges.
        self.trained: dict[int, PrefectFuture[Any]] = {}
        self.asked: list[PrefectFuture[list[Proposal]]] = []
        self.origin: dict[int, PrefectFuture[list[Proposal]]] = {}
        self.unseen: list[PrefectFuture[Any]] = []
        self.examined: PrefectFuture[dict[str, float]] | None = None

    def train(self) -> None:
        """Train until the strategy or a stop rule ends it.

        Raises:
            SearchFailedError: too many trials in a row failed.
        """
        with Progress(self.plan, self.bench.record.name) as progress:
            try:
                self.ended = self.reason_to_stop()
                self.fill()
                while self.running:
                    progress.show(self.history, self.best, len(self.running))
                    self.settle(self.ended_futures.get())
                    self.ended = self.ended or self.reason_to_stop()
                    self.fill()
            except BaseException:
                self.abandon()
                raise
            progress.show(self.history, self.best, 0)

    def fill(self) -> None:
        """Start trials while there are free places and no reason to stop."""
        while self.ended is None and len(self.nodes) < self.plan.width:
            if not self.waiting and not self.ask():
                return
            self.start(self.take())

    def take(self) -> list[Proposal]:
        """The next proposals that one worker trains together."""
        taken = fair_share(
            self.waiting, self.running.values(), self.kind, self.plan.width, self.plan.stack
        )
        numbers = {proposal.number for proposal in taken}
        self.waiting = deque(p for p in self.waiting if p.number not in numbers)
        return taken

    def kind(self, proposal: Proposal) -> tuple[Any, ...]:
        """What the members of a stack have in common."""
        found = learners.find(self.study.learner)
        assert isinstance(found, type)
        return kind_of(found, proposal, self.parent(proposal))

    def parent(self, proposal: Proposal) -> Trial | None:
        """The trial whose weights a proposal continues from."""
        if proposal.parent is None:
            return None
        return next((t for t in self.history if t.number == proposal.parent), None)

    def ask(self) -> bool:
        """Ask the strategy for more; False if it has nothing now.

        The node follows the trials it learns from: those that ended since the last one, and,
        through that last one, all earlier ones.
        """
        strategy, trials = self.plan.strategy, self.plan.trials
        left = BATCH if trials is None else trials - len(self.history) - len(self.running)
        if left <= 0:
            by_rule = trials == self.study.stop.trials and not strategy.counts_members
            self.ended = f"{trials} trials are done (stop.trials)" if by_rule else EXHAUSTED
            return False
        if strategy.adaptive and not strategy.one_by_one and self.running:
            return False  # it learns from whole generations
        free = (self.plan.width - len(self.nodes)) * self.plan.stack
        count = free if strategy.one_by_one else left if strategy.adaptive else BATCH
        future = propose.submit(
            plain(strategy),
            plain(self.study.space),
            plain(list(self.history)),
            plain(list(self.running.values())),
            min(count, left),
            len(self.asked),
            return_state=False,
            wait_for=self.taught(),
        )
        self.asked.append(future)
        self.unseen = []
        proposals = future.result()
        self.origin |= {proposal.number: future for proposal in proposals}
        self.waiting += proposals
        if not proposals and not self.running:
            self.ended = EXHAUSTED
        return bool(proposals)

    def taught(self) -> list[Any]:
        """What the next proposal follows: the one before it, and what ended since then."""
        learned = [allow_failure(future) for future in self.unseen]
        return [*self.asked[-1:], *(learned if self.plan.strategy.adaptive else [])]

    def start(self, proposals: list[Proposal]) -> None:
        """Train proposals; their node follows those of their proposals, and of their parents."""
        parents = [self.parent(proposal) for proposal in proposals]
        before: list[Any] = [self.origin[proposal.number] for proposal in proposals]
        before += [self.trained[p.number] for p in parents if p and p.number in self.trained]
        name = node_name(proposals)
        if len(proposals) == 1:
            future: PrefectFuture[Any] = train.submit(
                plain(self.bench),
                plain(proposals[0]),
                plain(parents[0]),
                name,
                return_state=False,
                wait_for=list(dict.fromkeys(before)),
            )
        else:
            future = train_stack.submit(
                plain(self.bench),
                plain(proposals),
                plain(parents),
                name,
                return_state=False,
                wait_for=list(dict.fromkeys(before)),
            )
        self.nodes[proposals[0].number] = proposals
        for proposal in proposals:
            self.running[proposal.number] = proposal
            self.trained[proposal.number] = future
        future.add_done_callback(lambda _: self.ended_futures.put(proposals[0].number))

    def settle(self, number: int) -> None:
        """Take the trials of a node that ended into the history."""
        proposals, future = self.nodes.pop(number), self.trained[number]
        outcome: Any = future.result(raise_on_failure=False)
        if isinstance(outcome, FailedTrialError):
            outcome = outcome.trial
        elif isinstance(outcome, BaseException):
            raise outcome
        self.unseen.append(future)
        trials: list[Trial] = outcome if isinstance(outcome, list) else [outcome]
        for trial in trials:
            del self.running[trial.number]
            self.history.append(trial)
            if len(proposals) > 1 and not trial.succeeded:
                name = node_name([trial.proposal])
                fail.submit(plain(trial), name, return_state=False, wait_for=[future]).wait()
            if trial.succeeded and best([trial, *([self.best] if self.best else [])]) is trial:
                self.best = trial
                self.bench.record.improved(trial, len(self.history))
        self.forget_checkpoints()

    def forget_checkpoints(self) -> None:
        """Delete the states that nothing can need any more."""
        pending = [*self.running.values(), *self.waiting]
        needed = self.plan.strategy.needed(self.history, pending)
        keep = {trial.checkpoint for trial in self.history if trial.number in needed}
        keep |= {self.best.checkpoint if self.best else None}
        for path in self.bench.folder.glob("*.safetensors"):
            number = int(path.stem.removeprefix("trial-"))
            if str(path) not in keep and number not in self.running:
                path.unlink(missing_ok=True)

    def reason_to_stop(self) -> str | None:
        """The first stop rule that is met, in words; None while none is.

        Raises:
            SearchFailedError: too many trials in a row failed.
        """
        stop = self.study.stop
        failed_in_a_row = _since(self.history, lambda trial: trial.succeeded)
        if failed_in_a_row >= stop.failures:
            raise SearchFailedError(
                f"{failed_in_a_row} trials in a row failed (stop.failures), the last one because "
                f"{self.history[-1].reason}; see `nettuner trials {self.study.name}`"
            )
        if stop.seconds is not None and self.bench.elapsed() >= stop.seconds:
            return f"{stop.seconds:g} s have passed (stop.seconds)"
        if self.best is None or self.best.score is None:
            return None
        goal = self.bench.goal
        if stop.target is not None and self.best.score <= goal.score({goal.metric: stop.target}):
            return f"{goal.metric} reached {stop.target:g} (stop.target)"
        without_gain = _since(self.history, lambda trial: trial is self.best)
        if stop.patience is not None and without_gain >= stop.patience:
            return f"{stop.patience} trials brought no new best (stop.patience)"
        return None

    def abandon(self) -> None:
        """Stop what runs now; each trial in flight closes its own run with the reason."""
        self.bench.pool.stop()
        for number in list(self.running):
            self.trained[number].wait(timeout=20)

    def conclude(self, winner: Trial | None) -> SearchResult:
        """Measure the winner on the test rows, log its model, close the record.

        Raises:
            SearchFailedError: no trial succeeded.
        """
        record = self.bench.record
        if winner is None:
            reason = self.history[-1].reason if self.history else "nothing was proposed"
            raise SearchFailedError(
                f"none of {len(self.history)} trials succeeded, the last one because {reason}; "
                f"see `nettuner trials {self.study.name}`"
            )
        if self.plan.strategy.counts_members:
            traced = trace.submit(
                plain(self.bench),
                plain(list(self.history)),
                plain(winner),
                return_state=False,
                wait_for=[*self.asked[-1:], *map(allow_failure, self.unseen)],
            )
            traced.wait()  # a picture that cannot be drawn is a failed node; it costs no result
        before = [self.trained[winner.number]] if winner.number in self.trained else []
        self.examined = examine_winner.submit(
            plain(self.bench), plain(winner), return_state=False, wait_for=before
        )
        test = self.examined.result()
        ended = self.ended or EXHAUSTED
        result = SearchResult(
            record.name, record.run_id, record.url, self.history, winner, test, ended
        )
        text = report.search_as_markdown(
            self.study, self.bench.goal, result.trials, winner, test, ended
        )
        close(self.bench, winner, test, text)
        return result


def close(bench: Bench, winner: Trial, test: Mapping[str, float], text: str) -> None:
    """Close the record of a search that has a result, and show the same page in Prefect."""
    record = bench.record
    record.finish("FINISHED", text, test, winner.proposal.params)
    create_markdown_artifact(
        f"[{record.name} in MLflow]({record.url})\n\n{text}",
        key="search-result",
        description=f"{bench.study.name}: {record.name}",
    )


def plain(value: Value) -> Value:
    """Hands a value to a task as it is.

    Prefect would else look through it for results of other tasks, which takes long and draws
    every edge of the DAG that `wait_for` draws, and those that follow from them.
    """
    return cast("Value", quote(value))


def node_name(proposals: Sequence[Proposal]) -> str:
    """Of a training task in the DAG."""
    first, last = proposals[0], proposals[-1]
    if first.member is None:
        kind, numbers = "trial", (first.number, last.number)
        until = ""
    else:
        assert last.member is not None
        kind, numbers = "member", (first.member, last.member)
        until = f"-until-{first.until}"
    if len(proposals) == 1:
        return f"{kind}-{numbers[0]}{until}"
    return f"{len(proposals)}-{kind}s-{numbers[0]}-to-{numbers[1]}{until}"


def _since(history: list[Trial], event: Any) -> int:
    """How many trials ended after the latest for which `event` holds."""
    count = 0
    for trial in reversed(history):
        if event(trial):
            break
        count += 1
    return count
