"""A chart of several searches: the best so far of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nettuner.tasks.report.axes import COLOURS
from nettuner.tasks.report.html.charts import GREY, Chart, chart
from nettuner.tasks.report.html.scales import drawable, metric_scale
from nettuner.tasks.report.html.searched import Searched
from nettuner.tasks.report.tables import curve

AGAINST = {"trained": "networks trained", "seconds": "seconds since the first training began"}
DASHES = ("solid", "dashed", "dotted", "dotdash", "dashdot")
MARKERS = ("circle", "square", "triangle", "diamond", "inverted_triangle", "hex")


def compared(searches: Sequence[Searched]) -> dict[str, Chart]:
    """A chart against networks trained and one against seconds, by their names."""
    goal = searches[0].goal
    tables = [curve(search.past) for search in searches]
    values = [value for table in tables for value in table["best"].dropna().tolist()]
    y = metric_scale(values, goal.direction)
    found = {}
    for column, name in AGAINST.items():
        drawn = chart(name, f"best {goal.metric}", y=y, height=300)
        drawn.x_range.start = 0
        for place, (search, table) in enumerate(zip(searches, tables, strict=True)):
            known = table.dropna()
            if known.empty:
                continue
            x, best = known[column].to_numpy(float), drawable(known["best"].tolist())
            strategy = search.past.strategy
            look = {
                "color": COLOURS.get(strategy, GREY),
                "legend_label": strategy.replace("_", " "),
            }
            drawn.line(np.repeat(x, 2)[1:], np.repeat(best, 2)[:-1], line_width=2.5,
                       line_dash=DASHES[place % len(DASHES)], **look)  # fmt: skip
            drawn.scatter(x[-1:], best[-1:], size=11, marker=MARKERS[place % len(MARKERS)], **look)
        if drawn.legend:
            drawn.legend.background_fill_alpha = 0
            drawn.legend.border_line_color = None
            drawn.legend.location = "bottom_right" if goal.direction == "maximize" else "top_right"
        found[name] = drawn
    return found
