"""Isolation plots: one hyperparameter against the metric, with what the model makes of it."""

from __future__ import annotations

import numpy as np
from bokeh.core.properties import value
from bokeh.models import Range1d

from nettuner.tasks.report.html.charts import (
    BEST,
    BLUE,
    FAILURE,
    GREEN,
    GREY,
    ORANGE,
    VERMILION,
    Chart,
    along,
    chart,
    hover,
    source,
)
from nettuner.tasks.report.html.findings import Findings
from nettuner.tasks.report.html.importance import Effect
from nettuner.tasks.report.html.scales import Line, Scale, drawable, metric_scale
from nettuner.tasks.report.html.searched import Searched
from nettuner.tasks.report.html.trial_columns import TOLD, Dots

# Bins of a hyperparameter's range, for the best of each.
BINS = 10
HEIGHT = 230


def slices(findings: Findings, dots: Dots) -> dict[str, Chart]:
    """A chart for each of the most important hyperparameters, by name."""
    search = findings.search
    y = metric_scale([search.value(trial) for trial in search.trials], search.goal.direction)
    effects = findings.importance.effects if findings.importance else {}
    return {name: _slice(search, dots, name, y, effects.get(name)) for name in dots.lines}


def _slice(search: Searched, dots: Dots, name: str, y: Scale, effect: Effect | None) -> Chart:
    line, column = dots.lines[name], dots.column[name]
    found = chart(name, search.goal.metric, Range1d(-0.04, 1.04), y, height=HEIGHT)
    along(found, line)
    if effect is not None:
        _draw_effect(found, search, line, effect)
    drawn = found.scatter(column, "metric", source=dots.scored, size=5, color=GREY, alpha=0.6)
    # At the foot of the chart, as they have no metric.
    failed = found.scatter(
        column, value(y.foot), source=dots.failed, marker=FAILURE, size=9, color=VERMILION,
        line_width=2,
    )  # fmt: skip
    _best_of_bins(found, search, line, name)
    found.scatter(
        column, "metric", source=dots.winner, marker=BEST, size=15, color=ORANGE,
        line_color="#333333",
    )  # fmt: skip
    hover(found, [drawn, failed], TOLD)
    return found


def _best_of_bins(found: Chart, search: Searched, line: Line, name: str) -> None:
    """The best of each bin, over all other hyperparameters, as a line."""
    bins = len(line.listed) if line.listed is not None else BINS
    better = min if search.goal.direction == "minimize" else max
    inside: dict[int, list[float]] = {}
    for trial in (t for t in search.scored if name in t.proposal.params):
        place = line.place(trial.proposal.params[name])
        inside.setdefault(min(int(place * bins), bins - 1), []).append(search.value(trial))
    best = {k: float(drawable([better(values)])[0]) for k, values in sorted(inside.items())}
    if best:
        found.segment(
            [k / bins for k in best], list(best.values()),
            [(k + 1) / bins for k in best], list(best.values()),
            color=BLUE, line_width=3,
        )  # fmt: skip


def _draw_effect(found: Chart, search: Searched, line: Line, effect: Effect) -> None:
    """The model's mean over all others, with its interval."""
    of = search.goal.value
    x = np.array([line.of_number(number) for number in effect.places.numbers])
    middle, one, other = (
        drawable([of(float(v)) for v in some]) for some in (effect.mean, effect.low, effect.high)
    )
    told = source(x=x, middle=middle, one=one, other=other)
    if line.ordered:
        found.varea("x", "one", "other", source=told, fill_color=GREEN, fill_alpha=0.2)
        found.line("x", "middle", source=told, color=GREEN, line_width=2, line_dash="dashed")
    else:
        found.segment("x", "one", "x", "other", source=told, color=GREEN, line_width=6, alpha=0.35)
        found.scatter("x", "middle", source=told, marker="dash", size=22, color=GREEN, line_width=2)
