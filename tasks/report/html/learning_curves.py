"""A chart of the learning curves of all trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nettuner.models.arrays import Floats
from nettuner.models.curve import Point, thinned
from nettuner.models.study import Trial
from nettuner.tasks.report.html.charts import (
    BLUE,
    FAILURE,
    GREY,
    ORANGE,
    VERMILION,
    Chart,
    chart,
    hover,
)
from nettuner.tasks.report.html.scales import drawable, metric_scale
from nettuner.tasks.report.html.searched import ENDED, FAILED, STOPPED, Searched
from nettuner.tasks.report.html.trial_columns import BRIEFLY, columns

# Points of all curves together; longer ones are thinned.
MOST_POINTS = 30_000
FEWEST_POINTS = 6
LOOKS = {ENDED: (GREY, "solid"), STOPPED: (ORANGE, "dashed"), FAILED: (VERMILION, "dotted")}


def learning_curves(search: Searched) -> Chart | None:
    """The metric of every trial after each round; None where no curve has two points."""
    trials = [trial for trial in search.trials if trial.curve]
    if not any(len(trial.curve) > 1 for trial in trials):
        return None
    most = max(FEWEST_POINTS, MOST_POINTS // len(trials))
    ends = {trial.number: trial.curve[-1] for trial in trials}
    lines = {trial.number: _line(search, trial, ends, most) for trial in trials}
    every = np.concatenate([y for _, y in lines.values()])
    y = metric_scale(every.tolist(), search.goal.direction)
    unit = "steps" if search.study.steps else search.past.unit
    found = chart(unit, search.goal.metric, y=y, height=340)
    alpha = min(0.9, max(0.35, 15 / len(trials)))
    drawn = []
    for fate, (colour, dash) in LOOKS.items():
        some = [trial for trial in trials if search.fate(trial) == fate]
        if some:
            drawn.append(_draw(found, search, some, lines, colour, dash, alpha))
    _ends(found, [trial for trial in trials if not trial.succeeded], lines)
    bold = _ancestry(search)
    chosen = [trial for trial in trials if trial.number in bold]
    if chosen:
        drawn.append(_draw(found, search, chosen, lines, BLUE, "solid", 1.0, width=3.0))
    hover(found, drawn, BRIEFLY)
    return found


def _ancestry(search: Searched) -> set[int]:
    """Numbers of the winner and of all segments that it goes on from."""
    parents = {trial.number: trial.proposal.parent for trial in search.past.trials}
    number = search.winner.number if search.winner else None
    found: set[int] = set()
    while number is not None and number not in found:
        found.add(number)
        number = parents.get(number)
    return found


def _line(
    search: Searched, trial: Trial, ends: Mapping[int, Point], most: int
) -> tuple[Floats, Floats]:
    """Steps and metric; a segment begins where the one that it continues has ended."""
    before = ends.get(-1 if trial.proposal.parent is None else trial.proposal.parent)
    joined = before is not None and before.round < trial.curve[0].round
    points = [*([before] if before and joined else []), *thinned(trial.curve, most)]
    step = search.study.step_after if search.study.rounds else (lambda round_: round_)
    x = np.array([step(point.round) for point in points], dtype=float)
    y = drawable([search.goal.value(point.score) for point in points])
    return x, y


def _draw(
    found: Chart,
    search: Searched,
    trials: Sequence[Trial],
    lines: dict[int, tuple[Floats, Floats]],
    colour: str,
    dash: str,
    alpha: float,
    width: float = 1.0,
) -> object:
    told = columns(
        search,
        trials,
        xs=[lines[trial.number][0] for trial in trials],
        ys=[lines[trial.number][1] for trial in trials],
    )
    return found.multi_line(
        "xs", "ys", source=told, color=colour, line_dash=dash, alpha=alpha, line_width=width
    )


def _ends(found: Chart, failed: Sequence[Trial], lines: dict[int, tuple[Floats, Floats]]) -> None:
    """Mark where failed trials ended."""
    ends = [(x[-1], y[-1]) for x, y in (lines[trial.number] for trial in failed)]
    if ends:
        x, y = map(list, zip(*ends, strict=True))
        found.scatter(x, y, marker=FAILURE, size=8, color=VERMILION, line_width=2)
