"""A chart of a population: who continued from whom, and the winner's ancestry."""

from __future__ import annotations

from bokeh.models import FixedTicker, Range1d

from nettuner.tasks.report.draw_schedules import Family
from nettuner.tasks.report.html.charts import GREEN, GREY, Chart, chart, hover
from nettuner.tasks.report.html.searched import Searched
from nettuner.tasks.report.html.trial_columns import BRIEFLY, columns

ROW, ROUND, TALLEST = 22, 90, 640
MOST_NAMED = 40


def family_tree(search: Searched) -> Chart | None:
    """Members as rows, copies as lines between them; None of a search that is no population."""
    if not search.is_population or search.winner is None:
        return None
    family = Family(search.study, search.past.trials, search.winner)
    rows = {member: row for row, member in enumerate(family.members)}
    last = max(map(family.end, family.trials))
    height = min(ROUND + ROW * len(rows), TALLEST)
    unit = "steps" if search.study.steps else "epochs"
    y_range = Range1d(len(rows) - 0.4, -0.6)
    found = chart(unit, "member", Range1d(0, last * 1.02), height=height, y_range=y_range)
    step = max(1, len(rows) // MOST_NAMED)
    found.yaxis.ticker = FixedTicker(ticks=list(range(0, len(rows), step)))
    found.yaxis.major_label_overrides = {row: str(member) for member, row in rows.items()}
    ancestors = {trial.number for trial in family.ancestry}
    drawn = []
    for bold in (False, True):
        some = [trial for trial in family.trials if (trial.number in ancestors) == bold]
        width, colour = (4, GREEN) if bold else (1.5, GREY)
        told = columns(
            search,
            some,
            row=[rows[trial.proposal.member or 0] for trial in some],
            begin=[family.begin(trial) for trial in some],
            end=[family.end(trial) for trial in some],
        )
        drawn.append(
            found.segment("begin", "row", "end", "row", source=told, color=colour,
                          line_width=width)
        )  # fmt: skip
        copies = [
            (
                family.begin(trial),
                rows[parent.proposal.member or 0],
                rows[trial.proposal.member or 0],
            )
            for trial in some
            if family.is_copy(trial) and (parent := family.parent(trial)) is not None
        ]
        if copies:
            at, source, copy = map(list, zip(*copies, strict=True))
            found.segment(at, source, at, copy, color=colour, line_width=width / 1.5)
            found.scatter(at, copy, marker="diamond", size=9 if bold else 6, color=colour)
    hover(found, drawn, BRIEFLY)
    return found
