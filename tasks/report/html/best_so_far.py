"""Charts of the best metric so far, against trials, training and seconds."""

from __future__ import annotations

import numpy as np
from bokeh.models import Band

from nettuner.models.arrays import Floats
from nettuner.tasks.report.html.charts import (
    BEST,
    BLUE,
    GREY,
    ORANGE,
    SKY,
    Chart,
    chart,
    hover,
    source,
)
from nettuner.tasks.report.html.findings import Findings
from nettuner.tasks.report.html.scales import Scale, drawable, metric_scale
from nettuner.tasks.report.html.trial_columns import BRIEFLY, columns


def best_so_far(findings: Findings) -> dict[str, Chart]:
    """A chart against trials, one against training, one against seconds, by their names."""
    search = findings.search
    trials = sorted(search.past.trials, key=lambda trial: (trial.ended, trial.number))
    values = np.array([search.value(trial) for trial in trials], dtype=float)
    better = np.fmin if search.goal.direction == "minimize" else np.fmax
    best = drawable(better.accumulate(values))
    y = metric_scale(values.tolist(), search.goal.direction)
    against = {
        "trials": np.arange(1.0, len(trials) + 1),
        f"{search.past.unit} trained": np.cumsum([float(trial.rounds) for trial in trials]),
        "seconds": np.array([trial.ended for trial in trials]),
    }
    found = {}
    for name, x in against.items():
        if x[-1] > 0:
            found[name] = _chart(findings, name, x, best, y)
    first = found["trials"]
    _luck(findings, first)
    told = columns(search, trials, x=against["trials"])
    dots = first.scatter("x", "metric", source=told, size=4, color=GREY, alpha=0.6)
    hover(first, [dots], BRIEFLY)
    return found


def _chart(findings: Findings, name: str, x: Floats, best: Floats, y: Scale) -> Chart:
    found = chart(name, f"best {findings.search.goal.metric}", y=y, height=240)
    found.x_range.start = 0
    known = ~np.isnan(best)
    # A step goes on until the next one.
    steps_x = np.repeat(x[known], 2)[1:]
    steps_y = np.repeat(best[known], 2)[:-1]
    if findings.noise is not None:
        deviation = findings.noise.deviation
        low, high = drawable(steps_y - deviation), drawable(steps_y + deviation)
        if y.kind == "log":
            low = np.maximum(low, y.start)
        band = source(x=steps_x, low=low, high=high)
        found.add_layout(
            Band(base="x", lower="low", upper="high", source=band, fill_color=BLUE, fill_alpha=0.15)
        )
    found.line(steps_x, steps_y, color=BLUE, line_width=2.5)
    if known.any():
        place = int(np.argmax(best == best[-1]))
        found.scatter(
            [x[place]], [best[place]], marker=BEST, size=15, color=ORANGE, line_color="#333333"
        )
    return found


def _luck(findings: Findings, found: Chart) -> None:
    """The best of as many trials in random order, as a hatched band."""
    luck = findings.luck
    if luck is None:
        return
    goal = findings.search.goal
    ends = [drawable([goal.value(float(v)) for v in some]) for some in (luck.low, luck.high)]
    told = source(x=luck.counts.astype(float), one=ends[0], other=ends[1])
    found.varea(
        "x", "one", "other", source=told, fill_color=SKY, fill_alpha=0.12,
        hatch_pattern="right_diagonal_line", hatch_color=SKY, hatch_alpha=0.5, hatch_scale=10,
    )  # fmt: skip
