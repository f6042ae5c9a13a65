"""Charts of what the model expects of two hyperparameters together."""

from __future__ import annotations

import numpy as np
from bokeh.models import ColorBar, LinearColorMapper, Range1d
from bokeh.palettes import cividis

from nettuner.models.arrays import Floats
from nettuner.tasks.report.html.charts import (
    BEST,
    FAILURE,
    ORANGE,
    VERMILION,
    Chart,
    along,
    chart,
    hover,
)
from nettuner.tasks.report.html.findings import Findings
from nettuner.tasks.report.html.importance import places_of
from nettuner.tasks.report.html.scales import MOST_LISTED, drawable
from nettuner.tasks.report.html.surrogate import SEED, Surrogate
from nettuner.tasks.report.html.trial_columns import TOLD, Dots

# Most pairs; places along each of the two, and points that the mean at each is taken over.
PAIRS, PLACES, AROUND = 4, 20, 24
LINES = 7
COLOURS = 64


def contours(findings: Findings, dots: Dots) -> dict[str, Chart]:
    """A chart for each of the strongest pairs, by their names."""
    found = findings.importance
    if found is None or findings.model is None:
        return {}
    return {
        f"{one} and {other}": _contour(findings, findings.model, dots, one, other)
        for one, other in list(found.pairs)[:PAIRS]
    }


def expected(model: Surrogate, one: str, other: str) -> Floats:
    """Expected scores at places of a pair, the others anywhere; shape [of other, of one]."""
    from threadpoolctl import threadpool_limits

    rng, coordinates = np.random.default_rng(SEED), model.coordinates
    i, j = coordinates.place[one], coordinates.place[other]
    first = places_of(coordinates.axes[i], _count(coordinates.axes[i].levels)).numbers
    second = places_of(coordinates.axes[j], _count(coordinates.axes[j].levels)).numbers
    around = coordinates.drawn(rng.random((AROUND, len(coordinates.names))))
    points = np.tile(around, (len(first) * len(second), 1))
    points[:, i] = np.tile(np.repeat(first, AROUND), len(second))
    points[:, j] = np.repeat(second, AROUND * len(first))
    with threadpool_limits(1, user_api="blas"):
        process, inputs = model.process, model.columns(points)
        near = process.covariance(inputs, process.X_train_)
        means = near @ process.alpha_ + process.trend.mean(inputs)
    return model.score(means.reshape(len(second), len(first), AROUND).mean(axis=2))


def _count(levels: tuple[object, ...] | None) -> int:
    return PLACES if levels is None or len(levels) > MOST_LISTED else len(levels)


def _contour(findings: Findings, model: Surrogate, dots: Dots, one: str, other: str) -> Chart:
    search = findings.search
    value = search.goal.value
    grid = drawable(expected(model, one, other) * (value(1.0)))
    across, up = dots.lines[one], dots.lines[other]
    found = chart(one, other, Range1d(0, 1), height=300, y_range=Range1d(0, 1))
    along(found, across)
    along(found, up, vertical=True)
    found.grid.grid_line_color = None
    # The better the brighter.
    palette = cividis(COLOURS) if value(1.0) < 0 else cividis(COLOURS)[::-1]
    low, high = float(grid.min()), float(grid.max())
    mapper = LinearColorMapper(palette=palette, low=low, high=high if high > low else low + 1)
    found.image([grid.astype(np.float64)], x=0, y=0, dw=1, dh=1, color_mapper=mapper)
    if across.ordered and up.ordered and high > low and min(grid.shape) > 1:
        x, y = ((np.arange(count) + 0.5) / count for count in grid.shape[::-1])
        levels = np.linspace(low, high, LINES + 2)[1:-1]
        found.contour(x, y, grid, levels, line_color="#ffffff", line_alpha=0.6)
    _trials(found, dots, one, other)
    found.add_layout(ColorBar(color_mapper=mapper, width=8, background_fill_color=None), "right")
    return found


def _trials(found: Chart, dots: Dots, one: str, other: str) -> None:
    x, y = dots.column[one], dots.column[other]
    good = found.scatter(x, y, source=dots.scored, size=5, color="#ffffff", line_color="#333333")
    bad = found.scatter(
        x, y, source=dots.failed, marker=FAILURE, size=9, color=VERMILION, line_width=2
    )
    found.scatter(
        x, y, source=dots.winner, marker=BEST, size=15, color=ORANGE, line_color="#333333"
    )
    hover(found, [good, bad], TOLD)
