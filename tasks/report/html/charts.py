"""How every chart looks: quiet, as wide as its place, safe for the colour-blind, light and dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, FixedTicker, HoverTool, Range1d
from bokeh.plotting import figure

from nettuner.tasks.report.axes import PALETTE
from nettuner.tasks.report.html.scales import Line, Scale

GREEN, ORANGE, PINK, SKY, VERMILION, BLUE, *_ = PALETTE
GREY = "#8c8c8c"
HEIGHT = 260
# Shapes that say the same as colours.
BEST, FAILURE = "star", "x"
Chart = Any
"""A figure of bokeh, whose own class has no types."""


def chart(
    x_label: str,
    y_label: str,
    x_range: Any = None,
    y: Scale | None = None,
    x_kind: str = "auto",
    height: int = HEIGHT,
    y_range: Any = None,
) -> Chart:
    """An empty chart.

    Args:
        x_label, y_label: What the axes are.
        x_range: Range of the horizontal axis, or its categories; None for that of the data.
        y: Vertical axis; None for one that follows the data.
        x_kind: `log`, `linear` or `auto`.
        height: Height in pixels.
        y_range: Range of the vertical axis, or its categories, in place of `y`.
    """
    ranges = {"x_range": x_range, "y_range": y_range}
    options = {name: range_ for name, range_ in ranges.items() if range_ is not None}
    if y is not None:
        options |= {"y_range": Range1d(y.start, y.end), "y_axis_type": y.kind}
    found = figure(
        height=height,
        sizing_mode="stretch_width",
        x_axis_type=x_kind,
        x_axis_label=plain(x_label),
        y_axis_label=plain(y_label),
        tools="box_zoom,reset,save",
        active_drag=None,
        toolbar_location="above",
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
        **options,
    )
    found.toolbar.logo = None
    found.toolbar.autohide = True
    found.grid.grid_line_alpha = 0.5
    found.axis.minor_tick_line_color = None
    found.axis.axis_label_text_font_style = "normal"
    return found


def along(found: Chart, line: Line, vertical: bool = False) -> None:
    """Make an axis of a chart that of a dimension, from 0 to 1."""
    axis = found.yaxis if vertical else found.xaxis
    ticks = line.ticks()
    axis.ticker = FixedTicker(ticks=list(ticks))
    axis.major_label_overrides = {place: plain(name) for place, name in ticks.items()}
    if max(map(len, ticks.values())) * len(ticks) > 36 and not vertical:
        axis.major_label_orientation = 0.5


def hover(found: Chart, of: Sequence[Any], shown: Mapping[str, str]) -> None:
    """Say what is under the pointer.

    Args:
        found: Chart.
        of: What was drawn.
        shown: Columns of its source by what they are called.
    """
    rows = [(plain(name), f"@{{{column}}}") for name, column in shown.items()]
    found.add_tools(HoverTool(renderers=list(of), tooltips=rows, point_policy="follow_mouse"))


def source(**columns: Any) -> ColumnDataSource:
    """Columns of a chart; numbers travel as bytes."""
    return ColumnDataSource({name: _column(values) for name, values in columns.items()})


def _column(values: Any) -> Any:
    if isinstance(values, list) and values and all(type(v) in (int, float) for v in values):
        return np.asarray(values, dtype=float)
    return values


def plain(text: str) -> str:
    """A text that bokeh does not read as a formula, which it would load a library for."""
    return text.replace("$$", "$ $").replace("\\[", "\\ [").replace("\\(", "\\ (")
