"""The commands that show what is recorded: studies, trials, comparisons, reports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nettuner.flows.commands.shared import Json, StudyName, fail
from nettuner.tasks.private import keep_private, umask

if TYPE_CHECKING:
    from nettuner.tasks.memory.recall import PastSearch


def past_searches(study: str) -> list[PastSearch]:
    """What is recorded of a study, named or given by its file."""
    from nettuner.flows.servers.logging_setup import keep_quiet
    from nettuner.models.study_file import StudyError

    keep_quiet(verbose=False)
    from nettuner.tasks.memory import recall
    from nettuner.tasks.memory.reader import reader
    from nettuner.tasks.named_study import name_of

    try:
        name = name_of(study)
        return recall.searches(reader(), name)
    except (StudyError, ValueError) as error:
        fail(str(error), 2)


def trials(
    study: StudyName,
    strategy: Annotated[
        str | None, typer.Option(help="Only this strategy's.", show_default=False)
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="All searches of the study, not the latest alone.")
    ] = False,
    failed: Annotated[
        bool,
        typer.Option(
            "--failed", help="Failed trials alone, with the traceback of the one that failed last."
        ),
    ] = False,
    trial: Annotated[
        int | None,
        typer.Option(min=0, help="With --failed, the traceback of this one.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Write a file instead: .csv, .parquet or .json by its ending.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the trials of a study's latest search as a table, the best first."""
    import pandas as pd

    from nettuner.flows.commands.show_json import of_table, show_json
    from nettuner.flows.commands.show_table import show_table, write_table
    from nettuner.tasks import strategies
    from nettuner.tasks.report import tables as report

    if trial is not None and not failed:
        fail(f"--trial is for failed trials, got --trial {trial} alone; add --failed", 2)
    found = past_searches(study)
    try:
        wanted = strategies.full_name(strategy) if strategy else None
    except ValueError as error:
        fail(str(error), 2)
    chosen = [s for s in found if wanted in (None, s.strategy)]
    if not chosen:
        known = ", ".join(sorted({s.strategy for s in found}))
        fail(f"{study} has no {wanted} search; it has: {known}", 2)
    shown = chosen if every else chosen[-1:]
    rows_of = report.failures_table if failed else report.trials_table
    table = pd.concat([rows_of(search) for search in shown], ignore_index=True)
    if as_json:
        show_json(of_table(table))
        return
    if output is None and failed:
        from nettuner.flows.commands.show_failures import show_failures

        show_failures(table, shown, trial)
        return
    if output is None:
        show_table(table)
        return
    try:
        with umask(keep_private()):
            write_table(table, output)
    except ValueError as error:
        fail(str(error), 2)


def studies(as_json: Json = False) -> None:
    """List what was ever searched, and the best of each; the latest first."""
    from nettuner.flows.servers.logging_setup import keep_quiet

    keep_quiet(verbose=False)
    from nettuner.flows.commands.show_json import of_table, show_json
    from nettuner.flows.commands.show_table import show_table
    from nettuner.tasks.memory import recall
    from nettuner.tasks.memory.reader import reader
    from nettuner.tasks.report import tables as report

    table = report.studies_table(recall.every_search(reader()))
    if as_json:
        show_json(of_table(table))
    elif table.empty:
        print("nothing was searched so far: nettuner init writes a first study")
    else:
        show_table(table)


def compare(
    study: StudyName,
    plot: Annotated[Path, typer.Option(help="Where the picture goes.")] = Path("comparison.png"),
    as_json: Json = False,
) -> None:
    """Compare a study's strategies: a table, and a picture of best so far against effort."""
    from nettuner.flows.commands.show_json import of_table, show_json
    from nettuner.flows.commands.show_table import show_table
    from nettuner.tasks.report import tables as report
    from nettuner.tasks.report.draw_comparison import draw_comparison

    found = report.latest_of_each_strategy(past_searches(study))
    if not found:
        fail(f"{study}: no search of it has a successful trial; search it first", 2)
    if as_json:
        show_json(of_table(report.comparison(found)))
        return
    show_table(report.comparison(found))
    with umask(keep_private()):
        draw_comparison(found, plot, Path(study).stem)
    print(f"\npicture: {plot}")


def report(
    study: StudyName,
    search: Annotated[
        str | None,
        typer.Option(
            help="The search, by its name in MLflow; left out: the latest of each strategy.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[Path, typer.Option(help="Where the report goes.")] = Path("report.html"),
) -> None:
    """Write a report as one HTML file: what was found, how sure that is, what to try next.

    It needs nothing beside it, and no network. That of a single search is also among the artifacts
    of its run in MLflow, some seconds after the search has ended.
    """
    from nettuner.tasks.memory.reader import reader
    from nettuner.tasks.report.tables import to_report

    try:
        chosen = to_report(past_searches(study), search)
    except ValueError as error:
        fail(f"{study}: {error}", 2)
    from nettuner.tasks.report.html.page import page
    from nettuner.tasks.report.html.searched import searched

    records = reader()
    text = page([searched(records, past) for past in chosen])
    with umask(keep_private()):
        output.write_text(text, encoding="utf-8")
    print(f"report: {output}")


COMMANDS: tuple[Callable[..., None], ...] = (trials, studies, compare, report)
