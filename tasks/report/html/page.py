"""The page: one HTML file with its data, its charts and their code inside."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from nettuner.tasks.report.html import reproduce
from nettuner.tasks.report.html.charts import Chart
from nettuner.tasks.report.html.compared import compared
from nettuner.tasks.report.html.findings import Findings
from nettuner.tasks.report.html.searched import Searched
from nettuner.tasks.report.html.sections import Section, sections
from nettuner.tasks.report.html.trial_rows import Cell, failures, rows
from nettuner.tasks.report.html.words import clock, short
from nettuner.tasks.report.tables import comparison

if TYPE_CHECKING:
    from markupsafe import Markup

TEMPLATE, STYLE, CODE = "page.html.jinja", "page.css", "page.js"


@dataclass(frozen=True)
class Part:
    """What the page has of one search.

    Args:
        key: Name of the part inside the page.
        search: The search.
        findings: What was computed of it.
        sections: Its charts.
        script: Code that draws them.
        divs: Places of the charts, in the order of the sections.
    """

    key: str
    search: Searched
    findings: Findings
    sections: Sequence[Section]
    script: str
    divs: Sequence[Sequence[str]]

    @property
    def facts(self) -> dict[str, str]:
        """What the search was."""
        past, study = self.search.past, self.search.study
        ended = max((trial.ended for trial in past.trials), default=0.0)
        status = past.status.lower()
        return {
            "learner": study.learner.rpartition("/")[2],
            "strategy": past.strategy.replace("_", " "),
            "began": time.strftime("%Y-%m-%d %H:%M", time.localtime(past.began)),
            "took": clock(ended),
            "status": {"killed": "interrupted", "running": "not finished"}.get(status, status),
        }

    @property
    def winner(self) -> list[tuple[str, str]]:
        """The hyperparameters of the winner."""
        found = self.search.winner
        return [(n, short(v)) for n, v in found.proposal.params.items()] if found else []

    @property
    def to_copy(self) -> dict[str, str]:
        """The winner's configuration in two languages."""
        found = self.search.winner
        if found is None:
            return {}
        params = found.proposal.params
        return {
            "YAML, for the study": reproduce.as_yaml(params),
            "Python": reproduce.as_python(params),
        }

    @property
    def schedules(self) -> str:
        """The picture of a population's schedules as text; empty where there is none."""
        picture = self.search.schedules
        return base64.b64encode(picture).decode() if picture else ""

    @property
    def failures(self) -> Any:
        """Why trials failed."""
        return failures(self.search)

    @property
    def table(self) -> tuple[list[str], list[list[Cell]]]:
        """All trials."""
        return rows(self.findings)

    @property
    def reproduce(self) -> dict[str, str]:
        """What is needed to search again."""
        return reproduce.facts(self.search)

    @property
    def study(self) -> str:
        """The study as it was searched."""
        return reproduce.study_as_yaml(self.search)


def page(searches: Sequence[Searched]) -> str:
    """The report of one or several searches of one study as an HTML file.

    Args:
        searches: At least one; the best first.
    """
    from bokeh.resources import Resources
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = files(__package__)
    environment = Environment(
        loader=FileSystemLoader(str(folder)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["code"] = _with_code
    several = [search for search in searches if search.winner is not None]
    overview: dict[str, Chart] = compared(several) if len(several) > 1 else {}
    script, (divs,) = _embedded([list(overview.values())])
    parts = [_part(f"search-{place}", search) for place, search in enumerate(searches)]
    return environment.get_template(TEMPLATE).render(
        title=searches[0].study.name,
        style=folder.joinpath(STYLE).read_text(encoding="utf-8"),
        code=folder.joinpath(CODE).read_text(encoding="utf-8"),
        bokeh="\n".join(Resources(mode="inline", components=["bokeh"]).js_raw),
        parts=parts,
        overview=dict(zip(overview, divs, strict=True)),
        scripts={"overview": script, **{part.key: part.script for part in parts}},
        comparison=_comparison(several) if len(several) > 1 else [],
        written=time.strftime("%Y-%m-%d %H:%M"),
    )


def _with_code(sentence: str) -> Markup:
    """A sentence with what stands between backticks set as code."""
    from markupsafe import Markup, escape

    return Markup(re.sub("`([^`]*)`", r"<code>\1</code>", str(escape(sentence))))


def _part(key: str, search: Searched) -> Part:
    findings = Findings(search)
    found = list(sections(findings))
    script, divs = _embedded([list(section.charts.values()) for section in found])
    return Part(key, search, findings, found, script, divs)


def _embedded(groups: Sequence[Sequence[Chart]]) -> tuple[str, list[list[str]]]:
    """Code that draws charts, and their places in the page."""
    from bokeh.document import Document
    from bokeh.embed import components

    flat = [chart for group in groups for chart in group]
    if not flat:
        return "", [[] for _ in groups]
    document = Document()
    with document.models.freeze():  # or all models are looked through for each chart
        for chart in flat:
            document.add_root(chart)
    script, divs = components(flat, wrap_script=False)
    left = iter(divs)
    return script, [[next(left) for _ in group] for group in groups]


def _comparison(searches: Sequence[Searched]) -> list[dict[str, str]]:
    """A row for each search: its result and its cost."""
    table = comparison([search.past for search in searches])
    return [
        {str(name): short(value) for name, value in row.items()} for row in table.to_dict("records")
    ]
