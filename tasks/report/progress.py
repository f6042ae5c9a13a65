"""Progress of a search, on one line of a terminal; silent elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar

from nettuner.models.study import Trial

if TYPE_CHECKING:
    from nettuner.tasks.plan import Plan


class Progress:
    """A progress bar with best so far, running, failed, and remaining time."""

    def __init__(self, plan: Plan, name: str) -> None:
        self._plan = plan
        console = Console(stderr=True)
        self._bar = Bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[state]}", markup=False),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task(name, total=plan.trials, state="starting workers")
        self._began = time.monotonic()
        self._known: int | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def show(self, history: Sequence[Trial], best: Trial | None, running: int) -> None:
        """Update the line."""
        if self._known is None:
            self._known = len(history)  # done before a resume
        failed = sum(not trial.succeeded for trial in history)
        parts = [f"{running} running"]
        if best is not None and best.score is not None:
            goal = self._plan.goal
            parts.insert(0, f"best {goal.metric} {goal.value(best.score):.4g}")
        if failed:
            parts.append(f"{failed} failed")
        parts.append(self._remaining(len(history)))
        state = " · ".join(part for part in parts if part)
        self._bar.update(self._task, completed=len(history), state=state)

    def _remaining(self, done: int) -> str:
        fresh = done - (self._known or 0)
        if not fresh or self._plan.trials is None:
            return ""
        left = (time.monotonic() - self._began) / fresh * (self._plan.trials - done)
        return f"about {_clock(left)} left"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
