"""Parallel coordinates: every trial as a line over all its hyperparameters and its metric."""

from __future__ import annotations

import numpy as np
from bokeh.models import FixedTicker, Range1d
from bokeh.palettes import cividis

from nettuner.models.arrays import Floats
from nettuner.models.study import Trial
from nettuner.tasks.report.html.charts import BLUE, GREY, Chart, chart, hover, plain
from nettuner.tasks.report.html.findings import Findings
from nettuner.tasks.report.html.scales import Line
from nettuner.tasks.report.html.trial_columns import BRIEFLY, columns
from nettuner.tasks.report.html.words import short

# Where a line passes below an axis: the trial has no such hyperparameter.
ABSENT = -0.1
# Lines drawn at most, half of them the best; and the widths of the best.
MOST, BOLD = 300, (3.5, 2.2, 2.2)
# Of the colours, the ends are too close to the paper or to the ink.
COLOURS, FIRST, LAST = 100, 15, 85
TICKS = 5


def parallel(findings: Findings) -> Chart | None:
    """The chart; None where there is nothing to compare."""
    search, names = findings.search, findings.shown
    ranked = sorted(search.scored, key=lambda trial: (trial.score or 0.0, trial.number))
    if not names or len(ranked) < 2:
        return None
    if len(ranked) > MOST:
        rest = ranked[MOST // 2 :]
        picked = np.linspace(0, len(rest) - 1, MOST // 2).round().astype(int)
        ranked = ranked[: MOST // 2] + [rest[place] for place in picked]
    lines = [Line(search.space[name]) for name in names]
    heights = 1 - np.linspace(0, 1, len(ranked))  # the metric by rank: the best on top
    found = chart("", "", Range1d(-0.4, len(names) + 0.5), height=380, y_range=Range1d(-0.2, 1.08))
    found.yaxis.visible = False
    found.grid.grid_line_color = None
    found.xaxis.ticker = FixedTicker(ticks=list(range(len(names) + 1)))
    labels = [*names, f"{search.goal.metric} (by rank)"]
    found.xaxis.major_label_overrides = {k: plain(label) for k, label in enumerate(labels)}
    found.xaxis.major_label_orientation = 0.35
    found.segment(list(range(len(labels))), [0] * len(labels), list(range(len(labels))),
                  [1] * len(labels), color=GREY)  # fmt: skip
    drawn = _draw(findings, found, ranked, lines, names, heights)
    for place, line in enumerate(lines):
        _name_values(found, place, line.ticks())
    shown = np.linspace(0, len(ranked) - 1, min(TICKS, len(ranked))).round().astype(int)
    metric = {float(heights[k]): short(search.value(ranked[k])) for k in shown}
    _name_values(found, len(names), metric)
    hover(found, [drawn], BRIEFLY)
    return found


def _draw(
    findings: Findings,
    found: Chart,
    ranked: list[Trial],
    lines: list[Line],
    names: list[str],
    heights: Floats,
) -> object:
    ys = [
        np.array(
            [
                line.place(trial.proposal.params[name]) if name in trial.proposal.params else ABSENT
                for name, line in zip(names, lines, strict=True)
            ]
            + [height],
            dtype=np.float32,
        )
        for trial, height in zip(ranked, heights.tolist(), strict=True)
    ]
    x = np.arange(len(names) + 1, dtype=np.float32)
    colours = cividis(COLOURS)[FIRST:LAST]
    ranks = (1 - heights) * (len(colours) - 1)
    told = columns(
        findings.search,
        ranked[::-1],  # the best on top of the others
        xs=[x] * len(ranked),
        ys=ys[::-1],
        colour=[colours[int(rank)] for rank in ranks[::-1]],
    )
    alpha = min(0.8, max(0.2, 30 / len(ranked)))
    drawn = found.multi_line("xs", "ys", source=told, color="colour", alpha=alpha, line_width=1.2)
    best = ys[: len(BOLD)]
    found.multi_line([x] * len(best), best, color=BLUE, line_width=list(BOLD[: len(best)]))
    return drawn


def _name_values(found: Chart, place: int, ticks: dict[float, str]) -> None:
    found.text(
        [place + 0.04] * len(ticks),
        list(ticks),
        [plain(name) for name in ticks.values()],
        text_font_size="11px",
        text_baseline="middle",
        name="ink",
    )
