"""Charts of how much each hyperparameter and each pair matters."""

from __future__ import annotations

from collections.abc import Mapping

from bokeh.models import FactorRange, Range1d

from nettuner.tasks.report.html.charts import BLUE, GREY, SKY, Chart, chart, plain, source
from nettuner.tasks.report.html.importance import SHOWN, Importance, Share

# Height of a bar, and of what is round all bars, in pixels.
BAR, ROUND = 26, 70
MOST_PAIRS = 6


def importance_chart(found: Importance) -> Chart:
    """Bars: the share in all as a pale bar, alone as a dark one, intervals as lines."""
    total = dict(list(found.total.items())[:SHOWN])
    return _bars(total, {name: found.main[name] for name in total})


def pairs_chart(found: Importance) -> Chart | None:
    """Bars of the strongest pairs, beyond what each has alone; None where there are none."""
    strongest = list(found.pairs.items())[:MOST_PAIRS]
    pairs = {f"{one} and {other}": part for (one, other), part in strongest}
    return _bars(pairs, pairs) if pairs else None


def _bars(total: Mapping[str, Share], main: Mapping[str, Share]) -> Chart:
    names = [plain(name) for name in total]
    drawn = chart(
        "share of how scores differ",
        "",
        Range1d(0, 1),
        height=ROUND + BAR * len(names),
        y_range=FactorRange(*names[::-1]),
    )
    drawn.ygrid.grid_line_color = None
    told = source(
        name=names,
        total=[part.middle for part in total.values()],
        low=[part.low for part in total.values()],
        high=[part.high for part in total.values()],
        main=[part.middle for part in main.values()],
    )
    drawn.hbar("name", right="total", height=0.7, source=told, color=SKY, fill_alpha=0.5)
    drawn.hbar("name", right="main", height=0.35, source=told, color=BLUE)
    drawn.segment("low", "name", "high", "name", source=told, color=GREY, line_width=2.5)
    for end in ("low", "high"):
        drawn.scatter(end, "name", source=told, marker="dash", angle=1.5708, size=11, color=GREY,
                      line_width=2)  # fmt: skip
    return drawn
