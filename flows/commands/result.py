"""What a search from Python found: numbers, tables, charts and the model."""

from __future__ import annotations

import base64
import html
import tempfile
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nettuner.flows.servers.logging_setup import kept_quiet
from nettuner.tasks.private import keep_private, umask

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from nettuner.flows.engine.search import SearchResult
    from nettuner.models.study import Study, Trial
    from nettuner.tasks.memory.recall import PastSearch
    from nettuner.tasks.report.html.searched import Searched
    from nettuner.tasks.report.html.sections import Section

# Rows of the table that a notebook shows.
SHOWN = 10


class Result:
    """The result of a search. A notebook shows it as a table and a chart.

    Args:
        study: Study that was searched.
        found: What its flow returned.
    """

    def __init__(self, study: Study, found: SearchResult) -> None:
        self.study = study
        self._found = found

    @property
    def name(self) -> str:
        """Name of the search in MLflow."""
        return self._found.name

    @property
    def url(self) -> str:
        """URL of its run in MLflow."""
        return self._found.url

    @property
    def run_id(self) -> str:
        """Id of this run."""
        return self._found.run_id

    @property
    def best(self) -> Trial | None:
        """The trial that the strategy answers with; see `SearchResult`."""
        return self._found.best

    @property
    def params(self) -> dict[str, Any]:
        """The hyperparameters of the best trial; empty where none succeeded."""
        return dict(self.best.proposal.params) if self.best else {}

    @property
    def test(self) -> dict[str, float]:
        """Its metrics on the test rows."""
        return self._found.test

    @property
    def ended(self) -> str:
        """Why the search ended."""
        return self._found.ended

    @property
    def finals(self) -> Sequence[Trial]:
        """The best few trials as the finals ranked them; empty where there were none."""
        return self._found.finals

    @cached_property
    def _past(self) -> PastSearch:
        with kept_quiet():
            from nettuner.tasks.memory import recall
            from nettuner.tasks.memory.reader import reader

            past = recall.searches(reader(), self.study.name)
        return next(search for search in past if search.run_id == self.run_id)

    @cached_property
    def _searched(self) -> Searched:
        with kept_quiet():
            from nettuner.tasks.memory.reader import reader
            from nettuner.tasks.report.html.searched import searched

            return searched(reader(), self._past)

    @cached_property
    def trials(self) -> pd.DataFrame:
        """A row for each trial, the best first: hyperparameters, metrics, what came of it."""
        from nettuner.tasks.report.tables import trials_table

        return trials_table(self._past)

    def model(self) -> Any:
        """The winner's model as MLflow serves it: `model().predict(rows)`.

        Raises:
            ValueError: There is none: the study trains a function, or it could not be exported.
        """
        with kept_quiet():
            from nettuner.tasks.memory.load_model import load_model

            found = load_model(self.run_id)
        if found is None:
            raise ValueError(
                f"{self.name} has no model: {self.study.learner} is a function, or torch could not "
                f"export its network; {self.url} says which"
            )
        return found

    @cached_property
    def _sections(self) -> dict[str, Section]:
        from nettuner.tasks.report.html.findings import Findings
        from nettuner.tasks.report.html.sections import sections

        return {of.title.lower(): of for of in sections(Findings(self._searched))}

    def figure(self, name: str) -> Any:
        """A chart of the report, for `bokeh.plotting.show`.

        Args:
            name: Its heading or the beginning of it, such as importance or learning curves.

        Raises:
            ValueError: The report of this search has no such chart.
        """
        from bokeh.layouts import column

        chosen = [of for title, of in self._sections.items() if title.startswith(name.lower())]
        if len(chosen) != 1:
            raise ValueError(
                f"the figures of this search are {', '.join(self._sections)}; got {name!r}"
            )
        return column(list(chosen[0].charts.values()), sizing_mode="stretch_width")

    def report(self, path: str | Path = "report.html") -> Path:
        """Write the report as one HTML file, and return its path."""
        from nettuner.tasks.report.html.page import page

        with umask(keep_private()):
            Path(path).write_text(page([self._searched]), encoding="utf-8")
        return Path(path)

    def __repr__(self) -> str:
        best = self.best
        found = (
            "none succeeded" if best is None else f"best {self.study.metric} {self._shown(best)}"
        )
        return f"<{self.name} of {self.study.name}: {len(self._found.trials)} trials, {found}>"

    def _shown(self, trial: Trial) -> str:
        from nettuner.tasks.report.html.words import short

        return short(self._past.goal.shown(trial))

    def _repr_html_(self) -> str:
        rows = self.trials.head(SHOWN).to_html(index=False, border=0, na_rep="")
        more = len(self.trials) - SHOWN
        rest = f"<p>and {more} more: <code>.trials</code></p>" if more > 0 else ""
        link = f'<a href="{html.escape(self.url)}">in MLflow</a>'
        return (
            f"<p><b>{html.escape(repr(self)[1:-1])}</b>, {link}</p>{self._picture()}"
            f'<div style="overflow-x: auto">{rows}</div>{rest}'
        )

    def _picture(self) -> str:
        """The best so far as a picture; empty where no trial succeeded."""
        from nettuner.tasks.report.draw_comparison import draw_comparison

        if self.best is None:
            return ""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "best.png"
            draw_comparison([self._past], path, self.study.name)
            content = base64.b64encode(path.read_bytes()).decode()
        return (
            f'<img alt="best so far" style="max-width: 100%" src="data:image/png;base64,{content}">'
        )
