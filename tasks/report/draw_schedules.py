"""Draws the hyperparameter schedules of a population and its metric."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nettuner.models.space import Dimension, Value, same
from nettuner.models.space.discrete import Choice
from nettuner.models.study import Goal, Study, Trial
from nettuner.tasks.report.axes import COLOURS, plain_numbers, scale
from nettuner.tasks.strategies.population.lineage import ancestry, lineage

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Point = tuple[float, float]
Line = list[Point]

PICTURE = "schedules.png"
"""Name of the picture among the artifacts of a search."""

GREY = "#8c8c8c"
BOLD = COLOURS["population"]
PANELS_PER_ROW = 3
INCHES_PER_ROW = 2.6
# Share of a choice's band over which the members with this value are spread.
BAND = 0.64
# Positive values that span more than this factor get a logarithmic axis.
WIDE = 50.0
# With more members, jumps between the bands of a choice are not drawn.
MOST_JUMPS = 12
# Of longer ancestries the legend names the beginning and the end.
LONGEST_CHAIN = 8


class Family:
    """The segments of a population, their training steps, and the winner's ancestry."""

    def __init__(self, study: Study, trials: Sequence[Trial], winner: Trial) -> None:
        self.study = study
        self.trials = sorted(trials, key=lambda trial: trial.number)
        self.known = {trial.number: trial for trial in trials}
        self.ancestry = ancestry(trials, winner)
        self.members = sorted({trial.proposal.member or 0 for trial in trials})

    def parent(self, trial: Trial) -> Trial | None:
        """The segment whose weights this one continued from."""
        return None if trial.proposal.parent is None else self.known.get(trial.proposal.parent)

    def begin(self, trial: Trial) -> int:
        """The training step at which a segment begins."""
        parent = self.parent(trial)
        return self.end(parent) if parent else 0

    def end(self, trial: Trial) -> int:
        """The training step at which a segment ends."""
        return self.study.step_after(trial.proposal.until or trial.rounds)

    def is_copy(self, trial: Trial) -> bool:
        """Whether a segment continued from another member's weights."""
        parent = self.parent(trial)
        return parent is not None and parent.proposal.member != trial.proposal.member

    def chain(self) -> list[int]:
        """The members in the winner's ancestry, a new entry for each copy."""
        found = [self.ancestry[0].proposal.member or 0]
        copies = [trial for trial in self.ancestry if self.is_copy(trial)]
        return found + [trial.proposal.member or 0 for trial in copies]

    def changing(self) -> list[str]:
        """The hyperparameters that any copy changed; if none, those that differ between members."""
        changed = {name for copy in lineage(self.trials) for name in copy.changed}
        if not changed:
            changed = {name for name in self.study.space.names() if len(self.values(name)) > 1}
        return [name for name in self.study.space.names() if name in changed]

    def values(self, name: str) -> list[Value]:
        """The distinct values of a hyperparameter."""
        found: list[Value] = []
        for trial in self.trials:
            value = trial.proposal.params.get(name)
            if value is not None and not any(same(value, known) for known in found):
                found.append(value)
        return found


def draw_schedules(
    study: Study, goal: Goal, trials: Sequence[Trial], winner: Trial, path: Path, title: str
) -> None:
    """Draw the metric and every changing hyperparameter against training steps.

    All members are thin grey lines, the winner's ancestry is bold.

    Args:
        study: Study that was searched.
        goal: Goal of the study.
        trials: All segments of the population.
        winner: Last segment of the ancestry.
        path: Path of the picture; its suffix gives the format.
        title: Title of the picture.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    family = Family(study, trials, winner)
    names = family.changing()
    rows = math.ceil(len(names) / PANELS_PER_ROW)
    columns = math.ceil(len(names) / max(rows, 1)) or 1
    figure = Figure(figsize=(11, 4.2 + INCHES_PER_ROW * rows), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(1 + rows, columns, height_ratios=[1.25] + [1] * rows)
    first = figure.add_subplot(grid[0, :])
    _draw_metric(first, family, goal)
    panels = [first]
    for place, name in enumerate(names):
        row, column = divmod(place, columns)
        panels.append(figure.add_subplot(grid[1 + row, column], sharex=first))
        _draw_hyperparameter(panels[-1], family, name)
    unit = "optimiser steps" if study.steps else "epochs"
    last = max(map(family.end, family.trials))
    for place, axes in enumerate(panels):
        axes.grid(alpha=0.2)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlim(0, last * 1.02)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=10 if place == 0 else 6, integer=True))
        if place == 0 or place > len(names) - columns:
            axes.set_xlabel(unit)
    _explain(figure, family)
    figure.suptitle(title)
    figure.savefig(path, dpi=130)


def _draw_metric(axes: Axes, family: Family, goal: Goal) -> None:
    """The metric at the end of every segment, joined to its parent's."""
    ended: dict[int, Point] = {
        t.number: (family.end(t), goal.value(t.score or 0.0)) for t in family.trials
    }
    good = [trial for trial in family.trials if trial.succeeded]
    lines = [
        [ended[parent.number], ended[trial.number]]
        for trial in good
        if (parent := family.parent(trial)) is not None and parent.succeeded
    ]
    _grey(axes, family, lines)
    axes.scatter(*_axes_of(ended[t.number] for t in good), s=6, color=GREY, alpha=0.5, linewidths=0)
    bold = [ended[trial.number] for trial in family.ancestry]
    axes.plot(*_axes_of(bold), color=BOLD, linewidth=2.6, marker="o", markersize=4, zorder=4)
    copied = [family.parent(trial) for trial in family.ancestry if family.is_copy(trial)]
    _mark(axes, [ended[parent.number] for parent in copied if parent])
    scale(axes, values := [ended[trial.number][1] for trial in good], goal)
    if axes.get_yscale() == "log":
        plain_numbers(axes, values)
    axes.set_ylabel(goal.metric)


def _draw_hyperparameter(axes: Axes, family: Family, name: str) -> None:
    """A hyperparameter over the steps: constant in a segment, a jump where it was changed."""
    dimension = family.study.space[name]
    values = family.values(name)
    height = _Height(dimension, values, family.members)
    courses = [_course(family, trial, name, height) for trial in family.trials]
    if height.in_bands and len(family.members) > MOST_JUMPS:
        courses = [course[-2:] for course in courses]
    _grey(axes, family, courses)
    copies = [trial for trial in family.trials if family.is_copy(trial)]
    points = [point for trial in copies for point in _course(family, trial, name, height)[-2:-1]]
    axes.scatter(*_axes_of(points), s=10, color=GREY, alpha=0.8, linewidths=0, zorder=3)
    for trial in family.ancestry:
        x, y = _axes_of(_course(family, trial, name, height))
        axes.plot(x, y, color=BOLD, linewidth=2.6, solid_capstyle="butt", zorder=4)
    starts = [_course(family, t, name, height)[-2:-1] for t in family.ancestry if family.is_copy(t)]
    _mark(axes, [point for start in starts for point in start])
    axes.set_title(name, fontsize="medium", loc="left")
    height.set_axis(axes)


def _course(family: Family, trial: Trial, name: str, height: _Height) -> Line:
    """The line of one segment; empty where the hyperparameter is inactive."""
    value = trial.proposal.params.get(name)
    if value is None:
        return []
    begin, end = family.begin(trial), family.end(trial)
    at = height.of(value, trial)
    parent = family.parent(trial)
    before = parent.proposal.params.get(name) if parent else None
    jump = [] if parent is None or before is None else [(begin, height.of(before, parent))]
    return [*jump, (begin, at), (end, at)]


class _Height:
    """Positions of a dimension's values on the vertical axis."""

    def __init__(
        self, dimension: Dimension, values: Sequence[Value], members: Sequence[int]
    ) -> None:
        self._members = {member: place for place, member in enumerate(members)}
        self._levels: list[Any] | None = None
        if isinstance(dimension, Choice) or any(isinstance(v, str | bool) for v in values):
            self._levels = list(dimension.levels or values)
        self._logarithmic = self._levels is None and _is_logarithmic(dimension, values)
        self._values = values

    @property
    def in_bands(self) -> bool:
        """Whether it is a choice."""
        return self._levels is not None

    def of(self, value: Value, trial: Trial) -> float:
        """A number itself; for a choice a position in its band, different for each member."""
        if self._levels is None:
            return float(value)
        band = next(i for i, level in enumerate(self._levels) if same(level, value))
        share = (self._members[trial.proposal.member or 0] + 0.5) / len(self._members)
        return band + BAND * (share - 0.5)

    def set_axis(self, axes: Axes) -> None:
        """Logarithmic for logarithmic dimensions; named bands for choices."""
        from matplotlib.ticker import MaxNLocator

        if self._levels is not None:
            axes.set_yticks(range(len(self._levels)), [str(level) for level in self._levels])
            axes.set_ylim(-0.5, len(self._levels) - 0.5)
        elif self._logarithmic:
            axes.set_yscale("log")
            plain_numbers(axes, [float(value) for value in self._values])
        elif all(isinstance(value, int) for value in self._values):
            axes.yaxis.set_major_locator(MaxNLocator(integer=True))


def _is_logarithmic(dimension: Dimension, values: Sequence[Value]) -> bool:
    numbers = [float(value) for value in values]
    if not numbers or min(numbers) <= 0:
        return False
    kind = str(getattr(dimension, "distribution", ""))
    named = kind.startswith("log-") or bool(getattr(dimension, "log", False))
    return named or (kind == "scipy" and max(numbers) > WIDE * min(numbers))


def _grey(axes: Axes, family: Family, lines: Sequence[Line]) -> None:
    """Draw all members' lines, fainter if there are more."""
    from matplotlib.collections import LineCollection

    alpha = min(0.8, max(0.3, 8 / len(family.members)))
    shown = [line for line in lines if line]
    axes.add_collection(LineCollection(shown, colors=GREY, linewidths=0.9, alpha=alpha))
    axes.autoscale_view()


def _mark(axes: Axes, points: Sequence[Point]) -> None:
    """Mark the copies in the winner's ancestry."""
    axes.scatter(
        *_axes_of(points), s=52, marker="D", color="white", edgecolors=BOLD, linewidths=2, zorder=5
    )


def _axes_of(points: Iterable[Point]) -> tuple[list[float], list[float]]:
    found = list(points)
    return [x for x, _ in found], [y for _, y in found]


def _explain(figure: Figure, family: Family) -> None:
    from matplotlib.lines import Line2D

    chain = family.chain()
    word = "member" if len(chain) == 1 else "members"
    names = [str(member) for member in chain]
    if len(names) > LONGEST_CHAIN:
        names = [*names[: LONGEST_CHAIN // 2], "…", *names[-LONGEST_CHAIN // 2 :]]
    told = f"the winner's ancestry: {word} {' → '.join(names)}"
    bold = {"color": BOLD, "marker": "D", "markerfacecolor": "white", "markeredgewidth": 2}
    copy = Line2D([], [], linewidth=0, label="a copy in it", **bold)  # type: ignore[arg-type]
    handles = [
        Line2D([], [], color=BOLD, linewidth=2.6, label=told),
        *([copy] if len(chain) > 1 else []),
        Line2D([], [], color=GREY, linewidth=0.9, label=f"all {len(family.members)} members"),
        Line2D([], [], color=GREY, marker="o", markersize=3, linewidth=0, label="their copies"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False)
