"""Shows a search while it runs: a table in a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.live import Live

from nettuner.models.study import Proposal, Trial
from nettuner.tasks.report.live.drawing import Drawing, Ended
from nettuner.tasks.report.live.sparkline import shortened
from nettuner.tasks.report.live.state import Best, Line, State, Training
from nettuner.tasks.report.live.tally import POINTS, Tally, name, network
from nettuner.tasks.report.live.time_left import (
    Work,
    told,
    work_of_halving,
    work_of_rounds,
    work_of_trials,
)

if TYPE_CHECKING:
    from nettuner.tasks.plan import Plan
    from nettuner.tasks.training.context import TrialContext

# Shortest time between two drawings [s]; and one takes at most this part of the time.
PAUSE_SECONDS = 0.5
SHARE = 0.02
# In flight, more are summed up, and the best few of them shown.
MOST_SHOWN, BEST_SHOWN = 4, 3
ONE = {"nothing": "trial", "itself": "network", "others": "member"}


class Progress:
    """The table of a search, drawn by a thread of its own while the block runs.

    Args:
        plan: Plan of the search.
        context: Context of its trials.
    """

    def __init__(self, plan: Plan, context: TrialContext) -> None:
        self._plan = plan
        self._context = context
        self._lock = threading.Lock()
        self._tally = Tally(plan.goal)
        self._before: Tally | None = None
        self._best: Trial | None = None
        self._running: Sequence[Proposal] = ()
        self._live = _live()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._draw, name="progress", daemon=True)

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._over.set()
            try:
                self._thread.join()
            finally:
                with suppress(OSError, ValueError):  # the terminal is gone
                    self._live.stop()
                    self._live.console.print(
                        Ended(self.state()) if kind is None else "stopping ..."
                    )

    def show(
        self, history: Sequence[Trial], best: Trial | None, running: Sequence[Proposal]
    ) -> None:
        """Tell what is drawn next.

        Args:
            history: Trials in the order in which they ended.
            best: Best trial so far; None if none succeeded.
            running: Proposals in flight.
        """
        with self._lock:
            self._tally.add(history[self._tally.ended :])
            if self._before is None:
                self._before = Tally(self._plan.goal)
                self._before.add(history)
            self._best, self._running = best, tuple(running)

    def _draw(self) -> None:
        assert self._live is not None
        pause = 0.0
        with suppress(OSError, ValueError):  # the terminal is gone: nothing is drawn any more
            while not self._over.wait(pause):
                began = time.thread_time()
                self._live.update(Drawing(self.state()), refresh=True)
                pause = max(PAUSE_SECONDS, (time.thread_time() - began) / SHARE)

    def state(self) -> State:
        """What there is to be drawn."""
        with self._lock:
            plan, tally, running = self._plan, self._tally, self._running
            lines = [self._line(proposal) for proposal in running]
            best = self._best
            return State(
                study=plan.study.name,
                search=self._context.record.name,
                metric=plan.goal.metric,
                unit=plan.study.unit if plan.study.rounds else "step",
                one=ONE[plan.strategy.continues],
                many="trials" if plan.strategy.continues == "nothing" else "segments",
                ended=tally.ended,
                of=plan.trials,
                networks=len(tally.networks) if plan.strategy.continues == "itself" else 0,
                seconds=self._context.elapsed(),
                left=self._left(lines),
                training=self._training(lines),
                last=tuple(tally.last),
                best=None if best is None else self._as_best(best),
                failed=tally.failed,
                commonest=tally.commonest,
            )

    def _line(self, proposal: Proposal) -> Line:
        done, score = self._context.curves.latest(proposal.number)
        before = self._tally.whole_curve(proposal, ())[-1:]
        value = before[0] if before else None
        if score is not None:
            value = self._plan.goal.value(score)
        return Line(name(proposal), value, (), done, self._until(proposal))

    def _until(self, proposal: Proposal) -> int:
        return proposal.until or self._plan.study.rounds

    def _training(self, lines: Sequence[Line]) -> Training:
        if not lines:
            return Training()
        chosen = range(len(lines))
        if len(lines) > MOST_SHOWN:
            goal = self._plan.goal
            ranked = [k for k in chosen if lines[k].value is not None]
            ranked.sort(key=lambda k: goal.score({goal.metric: lines[k].value or 0.0}))
            picked = ranked[:BEST_SHOWN]
        else:
            picked = list(chosen)
        return Training(
            len(lines),
            tuple(self._with_curve(lines[k], self._running[k]) for k in picked),
            min(line.done for line in lines),
            max(line.done for line in lines),
            max(line.of for line in lines),
            self._context.trained_for() > 0,
        )

    def _with_curve(self, line: Line, proposal: Proposal) -> Line:
        curve = self._tally.whole_curve(proposal, self._context.curves.of(proposal.number))
        return Line(line.name, line.value, shortened(curve, POINTS), line.done, line.of)

    def _as_best(self, trial: Trial) -> Best:
        assert trial.score is not None
        one = ONE[self._plan.strategy.continues]
        called = f"{one} {name(trial.proposal)}"
        return Best(called, self._plan.goal.value(trial.score), trial.proposal.params)

    def _left(self, lines: Sequence[Line]) -> str:
        study, stop = self._plan.study, self._plan.study.stop
        work = self._work(lines)
        limit = None if stop.seconds is None else stop.seconds - self._context.elapsed()
        early = stop.target is not None or stop.patience is not None
        left = told(work.seconds_left if work else None, limit, early)
        return f"{left}, then the finals" if left and study.finals else left

    def _work(self, lines: Sequence[Line]) -> Work | None:
        """What was done and what is left; None where nobody knows."""
        plan, before, tally = self._plan, self._before, self._tally
        budget, rounds = plan.study.stop.trials, plan.study.rounds
        seconds = self._context.trained_for()
        if before is None:
            return None
        ended, in_flight = tally.ended - before.ended, len(lines)
        if plan.trials is not None and (not rounds or plan.study.trainings > 1):
            return work_of_trials(plan.trials, ended, before.ended, in_flight, seconds)
        fresh = [
            self._fresh(proposal, line) for proposal, line in zip(self._running, lines, strict=True)
        ]
        if plan.trials is not None:
            usual = float(rounds)
            trained = tally.rounds - before.rounds
            done = [done for done, _ in fresh]
            return work_of_rounds(plan.trials, ended, before.ended, trained, usual, done, seconds)
        # A strategy that chooses one segment after another ends when none is worth it.
        if budget is None or plan.strategy.counts != "networks" or plan.strategy.asks == "single":
            return None
        if not rounds:
            return work_of_trials(budget, ended, before.ended, in_flight, seconds)
        begun = len(tally.networks | {network(proposal) for proposal in self._running})
        fewest = plan.strategy.fewest_rounds(budget, rounds)
        return work_of_halving(budget, begun, tally.rounds, before.rounds, fewest, fresh, seconds)

    def _fresh(self, proposal: Proposal, line: Line) -> tuple[int, int]:
        """Rounds that a segment has trained so far, and that it trains in all."""
        begun = self._context.curves.begun(proposal.number)
        return max(0, line.done - begun), line.of - begun


def _live() -> Live | None:
    """What draws in a terminal; None where there is none that could show it."""
    if sys.stderr is None or not sys.stderr.isatty():
        return None
    console = Console(stderr=True, markup=False, emoji=False, highlight=False)
    if not console.is_terminal or console.is_dumb_terminal:
        return None
    mixed = sys.stdout is not None and sys.stdout.isatty()
    return Live(console=console, auto_refresh=False, transient=True, redirect_stdout=mixed)
