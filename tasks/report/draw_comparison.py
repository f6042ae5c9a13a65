"""Draws the best so far of several searches, against training spent and against time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nettuner.tasks.report.axes import COLOURS, plain_numbers, scale
from nettuner.tasks.report.tables import curve
from nettuner.tasks.strategy_names import in_words

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from nettuner.tasks.memory.recall import PastSearch

# Lines differ by these, too, not by colour alone.
DASHES = ("-", "--", "-.", ":", (0, (8, 2, 1, 2, 1, 2)), (0, (1, 3)))
MARKERS = ("o", "s", "^", "D", "v", "P")
UNKNOWN = "#8c8c8c"
# Least distance between two labels, as a share of the height of a panel.
LINE_HEIGHT = 0.055
# Where labels begin, as a share of the width of a panel.
BESIDE = 1.05


@dataclass(frozen=True)
class Line:
    """A search as it is drawn.

    Args:
        strategy: Name of its strategy, for people.
        points: Its curve, from the first success on.
        colour, dashes, marker: How it looks.
    """

    strategy: str
    points: pd.DataFrame
    colour: str
    dashes: str | tuple[int, tuple[int, ...]]
    marker: str

    @property
    def value(self) -> float:
        """The metric where it ends."""
        return float(self.points["best"].iloc[-1])


def draw_comparison(searches: Sequence[PastSearch], path: Path, title: str) -> None:
    """Draw a line for each search, labelled where it ends.

    Args:
        searches: Searches of one study, each with a successful trial.
        path: Path of the picture; its suffix gives the format.
        title: Title of the picture.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    goal, rounds, unit = searches[0].goal, searches[0].rounds, searches[0].unit
    lines = [_line(search, place) for place, search in enumerate(searches)]
    figure = Figure(figsize=(12, 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, sharey=True)
    panels = ((left, "trained"), (right, "seconds"))
    for axes, column in panels:
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlim(0, 1.02 * max(line.points[column].iloc[-1] for line in lines) or 1)
        _draw(axes, lines, column)
    values = [value for line in lines for value in line.points["best"]]
    scale(left, values, goal)
    if left.get_yscale() == "log":
        plain_numbers(left, values)
    left.set_ylim(left.get_ylim())  # from here on it is where labels are reckoned from
    _label(left, lines, [line.strategy for line in lines])
    _label(right, lines, [f"{line.strategy}  {line.value:.4g}" for line in lines])
    better = "lower" if goal.direction == "minimize" else "higher"
    length = f" ({rounds} {unit} each)" if rounds else ""
    left.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10], integer=True))
    left.set(xlabel=f"networks trained{length}", ylabel=f"best {goal.metric} so far")
    right.set(xlabel="seconds since the first training began")
    figure.suptitle(f"{title} ({better} is better)")
    figure.savefig(path, dpi=150)


def _line(search: PastSearch, place: int) -> Line:
    points = curve(search).dropna()
    return Line(
        in_words(search.strategy),
        points,
        COLOURS.get(search.strategy, UNKNOWN),
        DASHES[place % len(DASHES)],
        MARKERS[place % len(MARKERS)],
    )


def _draw(axes: Axes, lines: Sequence[Line], column: str) -> None:
    """Draw lines, thin ones from where they end to the edge, and a mark at their ends."""
    edge = axes.get_xlim()[1]
    for line in lines:
        x, y = line.points[column], line.points["best"]
        end_x, end_y = x.iloc[-1], y.iloc[-1]
        axes.step(
            x, y, where="post", color=line.colour, linestyle=line.dashes, linewidth=2, zorder=3
        )
        axes.plot([end_x, edge], [end_y, end_y], color=line.colour, linewidth=0.8)
        (mark,) = axes.plot([end_x], [end_y], line.marker, color=line.colour, zorder=4)
        mark.set(markersize=9, markeredgewidth=2, markerfacecolor="none", clip_on=False)


def _label(axes: Axes, lines: Sequence[Line], labels: Sequence[str]) -> None:
    """Write labels beside a panel, each as high as its line ends, or near where these are close."""
    to_share = axes.transData + axes.transAxes.inverted()
    heights = [float(to_share.transform((0, line.value))[1]) for line in lines]
    beside = apart(heights, LINE_HEIGHT)
    for line, label, height, at in zip(lines, labels, heights, beside, strict=True):
        axes.annotate(
            label,
            (1, height),
            (BESIDE, at),
            "axes fraction",
            va="center",
            arrowprops={
                "arrowstyle": "-",
                "color": line.colour,
                "relpos": (0, 0.5),  # to where a label begins
                "shrinkA": 2,
                "shrinkB": 0,
            },
        )


def apart(heights: Sequence[float], least: float) -> list[float]:
    """Heights between 0 and 1 that are at least so far apart, and as near as can be to those given.

    Args:
        heights: Heights, of which many may be the same; their order stays.
        least: Least distance; less where there are too many for it.

    Source: the least squares of distances are an isotonic regression.
    """
    from scipy.optimize import isotonic_regression

    order = np.argsort(heights, kind="stable")
    step = min(least, 1 / max(len(order) - 1, 1))
    steps = step * np.arange(len(order))
    fitted = isotonic_regression(np.asarray(heights, dtype=float)[order] - steps).x
    found = np.empty(len(order))
    found[order] = np.clip(fitted, 0, 1 - steps[-1]) + steps
    return [float(height) for height in found]
