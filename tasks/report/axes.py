"""Colours and scales that all pictures share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import cycle
from typing import Any

import numpy as np

from nettuner.models.study import Goal
from nettuner.tasks.strategy_names import names

# The colour-blind safe palette of Okabe and Ito (2008).
PALETTE = (
    *("#009E73", "#E69F00", "#CC79A7", "#56B4E9"),
    *("#D55E00", "#0072B2", "#F0E442", "#000000"),
)
COLOURS = dict(zip(names(), cycle(PALETTE), strict=False))
"""The colour of each strategy."""
# Shorter logarithmic axes get ticks at 1, 2 and 5.
DECADES = 2.5


def scale(axes: Any, values: Sequence[float], goal: Goal) -> None:
    """Scale the axis: logarithmic for losses, else limited to the better trials."""
    ordered = np.asarray(values, dtype=float)
    if goal.direction == "minimize" and 0 < 5 * ordered.min() < ordered.max():
        axes.set_yscale("log")
        return
    if goal.direction == "maximize":
        low, high = float(np.quantile(ordered, 0.1)), float(ordered.max())
    else:
        low, high = float(ordered.min()), float(np.quantile(ordered, 0.9))
    margin = (high - low) * 0.08 or abs(high) * 0.01 or 1.0
    axes.set_ylim(low - margin, high + margin)


def plain_numbers(axes: Any, values: Sequence[float]) -> None:
    """Labels such as 0.2 on a logarithmic axis, and enough of them."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    if math.log10(max(values) / min(values)) < DECADES:
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
