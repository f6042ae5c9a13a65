"""The engine that every strategy's flow runs on: propose, train side by side, repeat."""

from __future__ import annotations

import queue
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

from prefect.artifacts import create_markdown_artifact

from nettuner.flows.engine.dag import Dag
from nettuner.flows.engine.leave_report import reported
from nettuner.flows.engine.record import facts_of, folder_of
from nettuner.flows.engine.scheduling import Scheduler
from nettuner.flows.engine.train_finals import TrainedFinals, trained_finals
from nettuner.flows.prefect_runs.mark_crashed import mark_crashed
from nettuner.flows.prefect_runs.naming import name_run
from nettuner.flows.prefect_runs.outcome import ended
from nettuner.flows.prefect_runs.overdue import superseded
from nettuner.models.study import Study, Trial
from nettuner.models.training.stopping import reason_to_give_up, reason_to_stop
from nettuner.tasks.memory import resuming, search_record, store
from nettuner.tasks.memory.hold import hold
from nettuner.tasks.memory.warm_start import warmed
from nettuner.tasks.plan import Plan, make_plan, width_of
from nettuner.tasks.report import pages
from nettuner.tasks.report.live.progress import Progress
from nettuner.tasks.training.context import TrialContext
from nettuner.tasks.training.fit import fit_in
from nettuner.tasks.training.spread import spread
from nettuner.tasks.training.trial import FailedTrialError
from nettuner.tasks.workers.pool import open_pool

# How long a trial in flight has to close its own run after it was stopped [s].
GRACE_SECONDS = 20.0


@dataclass(frozen=True)
class SearchResult:
    """The result of a search.

    Args:
        name: Name of the search.
        run_id: Id of its parent run in MLflow.
        url: URL of the run in MLflow.
        trials: Trials in the order in which they ended.
        best: Trial that the strategy answers with, mostly the one with the best score; None if
            none succeeded.
        test: Metrics of this trial on the test rows.
        ended: Reason why the search ended.
        finals: Best few trials with their scores in the finals, the best first; empty where there
            were none. `best` is the first of them.
        where: Why it was trained where it was, in a sentence; empty where the study says so.
    """

    name: str
    run_id: str
    url: str
    trials: list[Trial]
    best: Trial | None
    test: dict[str, float]
    ended: str
    finals: Sequence[Trial] = ()
    where: str = ""


class SearchFailedError(RuntimeError):
    """The search ended without a result."""


def search(study: Study, resume: bool = False) -> SearchResult:
    """Search the study's space with its strategy; runs inside a Prefect flow.

    Args:
        study: Study to be searched.
        resume: Whether to continue the latest unfinished search of this study and strategy.

    Raises:
        StudyError: The study is invalid; nothing was trained.
        ValueError: There is nothing to resume.
        SearchFailedError: No trial succeeded, or too many in a row failed.
        KeyboardInterrupt: The search was stopped by hand; finished trials are kept.
    """
    late = superseded()
    if late is not None:  # a state returned by a flow becomes that of its run
        return cast("SearchResult", ended("stale", late, None))
    client = store.client()
    with ExitStack() as held:
        pool = held.enter_context(open_pool(width_of(study), study.threads, study))
        plan = make_plan(study, fit=partial(fit_in, pool))
        pool, places = held.enter_context(spread(plan, pool))
        plan = replace(plan, width=places.count)
        facts = facts_of(plan)
        past = None
        if resume:
            past = resuming.to_resume(client, study.name, facts)
            held.enter_context(hold(past.run_id, past.name))
            record, spent = resuming.resume(client, past, plan.goal, facts)
            history = past.trials
            mark_crashed(record.driven_by)
        else:
            record = search_record.start_search(client, study, plan.goal, facts, pool)
            held.enter_context(hold(record.run_id, record.name))
            history, spent = [], 0.0
        name_run(f"{study.name}: {record.name}")
        record.recorder.write_in(pool)
        plan = replace(plan, strategy=warmed(plan.strategy, client, study.name, record))
        if places.why:
            record.remark(places.why)
        held.enter_context(reported(record))
        folder = held.enter_context(folder_of(record, resumable=True))
        context = TrialContext(plan, pool, places, record, folder, spent)
        context.curves.remember(history)
        engine = Engine(context, plan, history)
        engine.ended = past.ended if past else None
        engine.train()
        if study.finals is None or engine.best is None:
            return engine.conclude(engine.winner)
        with trained_finals(engine, study.finals, past) as finals:
            return engine.conclude(finals.ranked[0], finals)


class Engine:
    """Keeps `width` trials in flight until the strategy or a stop rule ends the search.

    Args:
        context: Context of the search.
        plan: Plan of its study.
        history: Trials from before a resume; else empty.
        follows: Tasks that come before, where these are the finals of a search.
    """

    def __init__(
        self,
        context: TrialContext,
        plan: Plan,
        history: list[Trial],
        follows: Dag | None = None,
    ) -> None:
        self.context = context
        self.plan = plan
        self.scheduler = Scheduler(plan, history)
        self.dag = Dag(context, plan.strategy, follows)
        self.ended: str | None = None
        self._known = len(history)
        # Tasks that ended, by the number of their first proposal; None when a place has come.
        self._done: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        context.places.when_changed(lambda: self._done.put(None))

    @property
    def history(self) -> list[Trial]:
        """Trials in the order in which they ended."""
        return self.scheduler.history

    @property
    def best(self) -> Trial | None:
        """The best trial so far."""
        return self.scheduler.best

    @property
    def winner(self) -> Trial | None:
        """The trial that the strategy answers with."""
        return self.plan.strategy.winner(self.plan.study.space, self.history)

    @property
    def why(self) -> str:
        """Why the search has ended."""
        return self.ended or self.plan.strategy.at_end

    def followed_by(self, context: TrialContext, plan: Plan, history: list[Trial]) -> Engine:
        """An engine whose tasks come after those of this one."""
        return Engine(context, plan, history, self.dag)

    def train(self) -> None:
        """Train until the strategy or a stop rule ends the search.

        Raises:
            SearchFailedError: Too many trials in a row failed.
        """
        with Progress(self.plan, self.context) as progress:
            try:
                self.ended = self.ended or self.reason_to_stop()
                self.fill()
                while self.scheduler.groups:
                    progress.show(self.history, self.best, self.scheduler.running)
                    number = self._done.get()
                    if number is not None:
                        self.settle(number)
                    self.ended = self.ended or self.reason_to_stop()
                    self.fill()
            except BaseException:
                self.abandon()
                raise
            progress.show(self.history, self.best, ())

    def fill(self) -> None:
        """Start trials while workers are free and no stop rule is met."""
        self.scheduler.width = self.context.places.count
        while self.ended is None and self.scheduler.free:
            if not self.scheduler.waiting and not self.ask():
                return
            self.start()
        if self.plan.strategy.asks == "stack":  # by then it knows more
            self.scheduler.forget_waiting()

    def ask(self) -> bool:
        """Ask the strategy for more proposals; returns False if there are none now."""
        scheduler, stop = self.scheduler, self.context.study.stop
        if scheduler.left <= 0:
            trials = self.plan.trials
            by_rule = trials == stop.trials and self.plan.strategy.counts == "trials"
            self.ended = (
                f"{trials} trials are done (stop.trials)" if by_rule else self.plan.strategy.at_end
            )
            return False
        count = scheduler.wanted
        if not count:
            return False
        running = [self.context.curves.told(proposal) for proposal in scheduler.running]
        proposals = self.dag.propose(scheduler.history, running, count)
        scheduler.waiting += proposals
        if not proposals and not scheduler.groups:
            by_rule = self.plan.trials is None and stop.trials is not None
            self.ended = (
                f"{stop.trials} trials are done (stop.trials)"
                if by_rule
                else self.plan.strategy.at_end
            )
        return bool(proposals)

    def start(self) -> None:
        """Train the next proposals."""
        proposals = self.scheduler.take()
        future = self.dag.train(proposals, [self.scheduler.parent(p) for p in proposals])
        future.add_done_callback(lambda _: self._done.put(proposals[0].number))

    def settle(self, number: int) -> None:
        """Add the trials of a task that ended to the history."""
        proposals, outcome = self.scheduler.end(number), self.dag.outcome(number)
        if isinstance(outcome, FailedTrialError):
            outcome = outcome.trial
        elif isinstance(outcome, BaseException):
            raise outcome
        trials: list[Trial] = outcome if isinstance(outcome, list) else [outcome]
        for trial in trials:
            if self.scheduler.add(trial):
                self.context.record.improved(trial, trained(self.history))
            if len(proposals) > 1 and not trial.succeeded:
                self.dag.fail(trial)
        self.forget_checkpoints()

    def forget_checkpoints(self) -> None:
        """Delete the checkpoints that are no longer needed."""
        keep = self.scheduler.needed() | {proposal.number for proposal in self.scheduler.running}
        for path in self.context.folder.glob("*.safetensors"):
            number, *_ = path.stem.removeprefix("trial-").split(".")
            if int(number) not in keep:
                path.unlink(missing_ok=True)

    def reason_to_stop(self) -> str | None:
        """The first stop rule that is met, as a sentence; None while none is.

        Raises:
            SearchFailedError: Too many trials in a row failed.
        """
        stop = self.context.study.stop
        hopeless = reason_to_give_up(stop, self.history[self._known :])
        if hopeless is not None:
            raise SearchFailedError(
                f"{hopeless}; see `nettuner trials {self.context.study.name} --failed`"
            )
        goal, seconds = self.context.goal, self.context.elapsed()
        return reason_to_stop(stop, goal, self.history, self.best, seconds)

    def abandon(self) -> None:
        """Stop all trials in flight; each closes its own run with the reason."""
        self.context.pool.stop()
        for number in self.scheduler.groups:
            self.dag.wait(number, GRACE_SECONDS)

    def conclude(self, winner: Trial | None, finals: TrainedFinals | None = None) -> SearchResult:
        """Evaluate the winner on the test rows, log its model, close the record.

        Args:
            winner: Trial that the strategy answers with, or the one that won the finals; None if
                there is none.
            finals: What came of the finals; None where there were none.

        Raises:
            SearchFailedError: No trial succeeded.
        """
        record, study = self.context.record, self.context.study
        if winner is None:
            raise self.without_success()
        if self.plan.strategy.continues == "others":
            self.dag.trace(self.history, winner)
        test = self.dag.examine(winner, finals.dag if finals else None)
        ranked = finals.ranked if finals else ()
        goal, why = self.context.goal, self.why
        text = pages.search_as_markdown(study, goal, self.history, winner, test, why, ranked)
        close(self.context, winner, test, text)
        return SearchResult(
            record.name,
            record.run_id,
            record.url,
            self.history,
            winner,
            test,
            why,
            ranked,
            self.context.places.why,
        )

    def without_success(self) -> SearchFailedError:
        """What to raise where no trial succeeded."""
        reason = self.history[-1].reason if self.history else "nothing was proposed"
        return SearchFailedError(
            f"none of {len(self.history)} trials succeeded, the last one because {reason}; "
            f"see `nettuner trials {self.context.study.name} --failed`"
        )


def trained(history: Sequence[Trial]) -> int:
    """Rounds trained in all, by which searches of any strategy compare; trials where none has."""
    return sum(trial.rounds for trial in history) or len(history)


def close(context: TrialContext, winner: Trial, test: Mapping[str, float], text: str) -> None:
    """Close the record of a search that has a result, and show the same page in Prefect."""
    record = context.record
    record.finish("FINISHED", text, test, winner.proposal.params, winner=winner.number)
    create_markdown_artifact(
        f"[{record.name} in MLflow]({record.url})\n\n{text}",
        key="search-result",
        description=f"{context.study.name}: {record.name}",
    )
