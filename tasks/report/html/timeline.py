"""A chart of which trial ran when, and what the time went to."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass

from bokeh.models import Range1d

from nettuner.models.study import Trial
from nettuner.tasks.report.html.charts import (
    BLUE,
    GREY,
    ORANGE,
    VERMILION,
    Chart,
    chart,
    hover,
)
from nettuner.tasks.report.html.searched import ENDED, FAILED, STOPPED, Searched
from nettuner.tasks.report.html.trial_columns import BRIEFLY, columns

# Colour and hatching of what became of a trial.
LOOKS = {ENDED: (BLUE, " "), STOPPED: (ORANGE, "right_diagonal_line"), FAILED: (VERMILION, "x")}
# Height of the chart: of each row, in pixels, and at most of all.
ROW, ROUND, TALLEST = 18, 90, 420


@dataclass(frozen=True)
class Spent:
    """Where the seconds of a search went.

    Args:
        seconds: Duration of the search.
        running: Seconds in which at least one trial ran.
        trials: Seconds of all trials together.
        rounds: Seconds of their rounds, as curves have them; the rest are starting, loading and
            storing.
    """

    seconds: float
    running: float
    trials: float
    rounds: float


def rows_of(trials: Sequence[Trial]) -> dict[int, int]:
    """The row of each trial by its number, so that none overlap; as few rows as possible."""
    ordered = sorted(trials, key=lambda trial: (trial.ended - trial.seconds, trial.number))
    found: dict[int, int] = {}
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    for trial in ordered:
        begin = trial.ended - trial.seconds
        # A record's times are rounded, so an end may lie just behind the next beginning.
        while busy and busy[0][0] <= begin + 1e-3:
            heapq.heappush(free, heapq.heappop(busy)[1])
        row = heapq.heappop(free) if free else len(busy)
        found[trial.number] = row
        heapq.heappush(busy, (trial.ended, row))
    return found


def spent(trials: Sequence[Trial]) -> Spent | None:
    """What the seconds of some trials went to; None where no time is recorded."""
    timed = [t for t in trials if math.isfinite(t.ended) and t.seconds > 0]
    if not timed:
        return None
    rounds = sum(min(t.seconds, math.fsum(point.seconds for point in t.curve)) for t in timed)
    running, last = 0.0, 0.0
    for trial in sorted(timed, key=lambda trial: trial.ended - trial.seconds):
        running += max(0.0, trial.ended - max(last, trial.ended - trial.seconds))
        last = max(last, trial.ended)
    return Spent(last, running, math.fsum(trial.seconds for trial in timed), rounds)


def timeline(search: Searched) -> Chart | None:
    """Each trial as a bar from its start to its end; None where no time is recorded."""
    trials = [t for t in search.past.trials if math.isfinite(t.ended) and t.seconds > 0]
    if not trials:
        return None
    rows = rows_of(trials)
    count = 1 + max(rows.values())
    last = max(trial.ended for trial in trials)
    height = min(ROUND + ROW * count, TALLEST)
    y_range = Range1d(-0.6, count - 0.4)
    found = chart("seconds", "", Range1d(0, last * 1.01), height=height, y_range=y_range)
    found.yaxis.visible = False
    found.ygrid.grid_line_color = None
    drawn = []
    for fate, (colour, hatch) in LOOKS.items():
        some = [trial for trial in trials if search.fate(trial) == fate]
        if not some:
            continue
        told = columns(
            search,
            some,
            row=[rows[trial.number] for trial in some],
            begin=[max(trial.ended - trial.seconds, 0.0) for trial in some],
            end=[trial.ended for trial in some],
        )
        drawn.append(
            found.hbar(
                "row", left="begin", right="end", height=0.8, source=told, color=colour,
                fill_alpha=0.55, line_color=colour, hatch_pattern=hatch, hatch_color=GREY,
                hatch_alpha=0.7, hatch_scale=6,
            )
        )  # fmt: skip
    hover(found, drawn, BRIEFLY)
    return found
