"""What the winner answers to the test rows: a confusion matrix, or predicted against true."""

from __future__ import annotations

import numpy as np
from bokeh.models import FactorRange, LinearColorMapper
from bokeh.palettes import cividis

from nettuner.models.answers import Answered, Classes, Numbers
from nettuner.tasks.report.html.charts import BLUE, GREY, Chart, chart, hover, source
from nettuner.tasks.report.html.words import short

COLOURS = 64
# Up to so many classes each cell has its number written on it.
MOST_WRITTEN = 15
LIGHT, DARK = "#ffffff", "#222222"


def held_out_chart(given: Answered) -> Chart:
    """The chart for classes or for numbers."""
    return _matrix(given) if isinstance(given, Classes) else _scatter(given)


def wrong(given: Classes) -> tuple[str, str, int] | None:
    """The commonest mistake: true class, answer, rows; None where there is none."""
    counts = np.array(given.counts)
    np.fill_diagonal(counts, 0)
    if not counts.any():
        return None
    true, answer = np.unravel_index(int(counts.argmax()), counts.shape)
    return given.labels[int(true)], given.labels[int(answer)], int(counts.max())


def _matrix(given: Classes) -> Chart:
    counts = np.array(given.counts)
    labels = _distinct(given.labels)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    true, answer = (axis.ravel() for axis in np.indices(counts.shape))
    found = chart(
        "answer",
        "true class",
        FactorRange(*labels),
        height=max(260, min(560, 28 * len(labels) + 80)),
        y_range=FactorRange(*reversed(labels)),
    )
    found.grid.grid_line_color = None
    told = source(
        true=[labels[k] for k in true],
        answer=[labels[k] for k in answer],
        rows=counts.ravel().tolist(),
        share=shares.ravel().tolist(),
        shown=[str(n) if n else "" for n in counts.ravel()],
        ink=[DARK if share > 0.55 else LIGHT for share in shares.ravel()],
        percent=[f"{share:.1%}" for share in shares.ravel()],
    )
    mapper = LinearColorMapper(palette=cividis(COLOURS), low=0, high=1)
    cells = found.rect(
        "answer",
        "true",
        1,
        1,
        source=told,
        fill_color={"field": "share", "transform": mapper},
        line_color=None,
    )
    if len(labels) <= MOST_WRITTEN:
        found.text(
            "answer",
            "true",
            text="shown",
            source=told,
            text_color="ink",
            text_align="center",
            text_baseline="middle",
            text_font_size="11px",
        )
    hover(
        found,
        [cells],
        {"true class": "true", "answer": "answer", "rows": "rows", "of this class": "percent"},
    )
    return found


def _distinct(labels: list[str]) -> list[str]:
    """Labels as an axis takes them: none twice."""
    shown = [short(label) for label in labels]
    return [f"{of} ({k})" if shown.count(of) > 1 else of for k, of in enumerate(shown)]


def _scatter(given: Numbers) -> Chart:
    found = chart("true", "answer", height=320)
    ends = [min(*given.true, *given.answered), max(*given.true, *given.answered)]
    found.line(ends, ends, color=GREY, line_dash="dashed", line_width=1.5)
    told = source(true=list(given.true), answered=list(given.answered))
    dots = found.scatter("true", "answered", source=told, size=6, color=BLUE, alpha=0.5)
    hover(found, [dots], {"true": "true", "answer": "answered"})
    return found
