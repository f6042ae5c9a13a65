"""The commands of the production loop: servers, retuning, promotion, rollback, history."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import typer

from nettuner.flows.commands.shared import Json, StudyName, Verbose, as_interrupt, fail, started
from nettuner.flows.servers import resident
from nettuner.tasks.home import PASSWORD

Feed = Annotated[
    str | None,
    typer.Option(
        "--data",
        help="Labelled rows: a file, a pattern of files (the newest counts), or with --database "
        "an SQL query.",
        show_default=False,
    ),
]
Database = Annotated[
    str | None,
    typer.Option(
        help="SQLAlchemy's address of the database for a query; `${NAME}` in the place of its "
        "password, which is in the environment variable NAME.",
        show_default=False,
    ),
]
Newest = Annotated[int, typer.Option(min=1, help="Of the matching files, so many of the newest.")]
Margin = Annotated[
    float,
    typer.Option(min=0, help="By how much it must be better, in the unit of the metric."),
]
Tolerance = Annotated[
    float,
    typer.Option(min=0, help="How much worse than proved it may get before a check objects."),
]
Deployments = Annotated[
    Path | None,
    typer.Option(
        help="The prefect.yaml to serve, with a folder automations beside it; left out: nettuner's "
        "own.",
        show_default=False,
    ),
]


def up(
    host: Annotated[
        str, typer.Option(help="Where the servers are bound; others need a password.")
    ] = "127.0.0.1",
    mlflow_port: Annotated[int, typer.Option(help="Port of MLflow.")] = 5000,
    prefect_port: Annotated[int, typer.Option(help="Port of Prefect.")] = 4200,
    database: Annotated[
        str | None,
        typer.Option(
            help="postgresql://user:${NAME}@host:port/database for the records of both, with the "
            "password in the environment variable NAME; left out: SQLite files in NETTUNER_HOME.",
            show_default=False,
        ),
    ] = None,
    deployments: Deployments = None,
) -> None:
    """Start Prefect, MLflow and everything that is deployed. Ctrl-C ends it.

    Searches, retunings and checks run on their schedules, from Prefect's pages, and on events.
    Commands in other terminals with the same NETTUNER_HOME use these servers. With a password in
    the environment variable NETTUNER_PASSWORD both servers ask for it (account nettuner).
    """
    from nettuner.flows.servers.up import Site
    from nettuner.flows.servers.up import up as start

    signal.signal(signal.SIGTERM, as_interrupt)
    site = Site(host, mlflow_port, prefect_port, os.environ.get(PASSWORD) or None)
    try:
        start(site, database, _prefect_yaml(deployments))
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
    except ValueError as error:
        fail(str(error), 2)
    except (OSError, RuntimeError) as error:
        fail(str(error), 1)


def serve(
    deployments: Deployments = None,
    at_once: Annotated[
        int | None, typer.Option(min=1, help="Runs at once.", show_default=False)
    ] = None,
    alone: Annotated[
        bool,
        typer.Option(
            "--alone",
            help="No other process serves them: runs that seem to run were killed, and are marked "
            "as crashed.",
        ),
    ] = False,
) -> None:
    """Register and run the deployments on the server that PREFECT_API_URL names.

    `nettuner up` does so by itself; this is for servers of your own.
    """
    from nettuner.flows.servers.logging_setup import keep_quiet

    keep_quiet(verbose=False)
    from nettuner.flows.servers.deployments import serve as work

    try:
        work(_prefect_yaml(deployments), at_once, alone)
    except ValueError as error:
        fail(str(error), 2)


def _prefect_yaml(given: Path | None) -> Path:
    shipped = Path(str(files("nettuner.deploy"))) / "prefect.yaml"
    return (given or shipped).resolve()


def retune(
    study: StudyName,
    data: Feed = None,
    database: Database = None,
    newest: Newest = 1,
    reason: Annotated[str, typer.Option(help="What led to it; kept with the version.")] = "by hand",
    strategy: Annotated[
        str | None, typer.Option(help="Instead of the study's.", show_default=False)
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Instead of the study's.", show_default=False)
    ] = None,
    finals: Annotated[int, typer.Option(min=1, help="The best so many are trained again.")] = 3,
    seeds: Annotated[int, typer.Option(min=1, help="Each with so many seeds.")] = 3,
    margin: Margin = 0.0,
    tolerance: Tolerance = 0.0,
    human: Annotated[
        bool, typer.Option("--approve", help="Wait for a person to agree in Prefect's pages.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Search a study on fresh data; replace its champion if that is proved better.

    Leaves with status 0 whether or not it is replaced, and says which.
    """
    from nettuner.flows.servers.logging_setup import keep_quiet

    if data is None:
        fail("a retuning needs fresh data, got none; give --data FILE", 2)
    resident.begin()
    keep_quiet(verbose)
    _check_address(database)
    from nettuner.flows.retune import RetuneResult
    from nettuner.flows.retune import retune as flow

    given: dict[str, Any] = {
        "study": _absolute(study),
        "data": data if database else str(Path(data).absolute()),
        "database": database,
        "newest": newest,
        "reason": reason,
        "strategy": strategy,
        "trials": trials,
        "finals": finals,
        "seeds": seeds,
        "margin": margin,
        "tolerance": tolerance,
        "approve": "human" if human else "automatic",
        "cool_down_minutes": 0,
    }
    print(f"{study}: starting Prefect and MLflow …", file=sys.stderr)
    found = started(lambda: flow(**given), "nothing was promoted; start it anew", verbose)
    assert isinstance(found, RetuneResult)
    print(f"{found.outcome}: {found.reason}")
    if found.version is not None:
        print(f"the champion is version {found.version} now; undo: nettuner rollback {study}")


def _check_address(database: str | None) -> None:
    """Refuse a password in an address before it becomes a parameter, which Prefect keeps."""
    from nettuner.models.address import parsed

    try:
        if database is not None:
            parsed(database)
    except ValueError as error:
        fail(str(error), 2)


def _absolute(study: str) -> str:
    """A study's file by its full path, as a flow may run elsewhere; a name as it is."""
    from nettuner.tasks.named_study import ENDINGS, study_file

    return str(study_file(study).absolute()) if study.endswith(ENDINGS) else study


def promote(
    study: StudyName,
    search: Annotated[
        str | None,
        typer.Option(help="The search, by its name in MLflow; left out: the latest finished."),
    ] = None,
    data: Feed = None,
    database: Database = None,
    newest: Newest = 1,
    metric: Annotated[
        str | None, typer.Option(help="Compare by this instead of the study's metric.")
    ] = None,
    margin: Margin = 0.0,
    confidence: Annotated[
        float, typer.Option(min=0.5, max=0.999, help="Of the bootstrap interval of the gain.")
    ] = 0.95,
    tolerance: Tolerance = 0.0,
    reason: Annotated[str, typer.Option(help="Kept with the version.")] = "by hand",
    force: Annotated[
        bool, typer.Option("--force", help="Promote whatever the comparison says; is recorded.")
    ] = False,
) -> None:
    """Make the winner of a search the champion, if it is proved better than the one there is.

    They are compared on rows that neither has seen: the study's own test rows, or those that
    --data names. The first champion has to beat the best constant answer. Leaves with status 1 if
    it is not promoted.
    """
    from nettuner.flows.servers.logging_setup import keep_quiet

    keep_quiet(verbose=False)
    from nettuner.flows.commands import promotion

    try:
        comparison = promotion.compare(
            _name(study),
            search,
            data if data is None or database else str(Path(data).absolute()),
            database,
            newest,
            metric=metric,
            margin=margin,
            confidence=confidence,
            why=reason,
        )
    except ValueError as error:
        fail(str(error), 2)
    print(comparison.reason)
    try:
        version = promotion.promote(comparison, reason, forced=force, tolerance=tolerance)
    except ValueError as error:
        fail(f"{error} (--force promotes it nevertheless)", 1)
    except RuntimeError as error:
        fail(str(error), 1)
    print(f"the champion of {version.study} is version {version.number} now: {version.uri}")


def rollback(
    study: StudyName,
    reason: Annotated[str, typer.Option(help="Kept with the model.")] = "by hand",
) -> None:
    """Make the version before the champion the champion again, at once."""
    from nettuner.flows.servers.logging_setup import keep_quiet

    keep_quiet(verbose=False)
    from nettuner.flows.commands import promotion

    try:
        before, now = promotion.roll_back(_name(study), reason)
    except ValueError as error:
        fail(str(error), 2)
    print(f"the champion of {now.study} is version {now.number} again, instead of {before.number}")


def history(study: StudyName, as_json: Json = False) -> None:
    """Show the versions of a study's model, and how the champion changed."""
    from nettuner.flows.servers.logging_setup import keep_quiet

    keep_quiet(verbose=False)
    from nettuner.flows.commands.show_json import of_table, show_json
    from nettuner.flows.commands.show_table import show_table
    from nettuner.tasks.champion.versions import moves, versions
    from nettuner.tasks.memory.reader import reader
    from nettuner.tasks.report import history as told

    name, records = _name(study), reader()
    found = versions(records, name)
    if not found:
        fail(f"{name} has no versions yet; promote a search: nettuner promote {name}", 2)
    made, changes = told.versions_table(found), told.moves_table(moves(records, name))
    if as_json:
        show_json({"versions": of_table(made), "champion": of_table(changes)})
        return
    show_table(made)
    show_table(changes)


def _name(study: str) -> str:
    """The name of a study that is given by its file or its name."""
    from nettuner.models.study_file import StudyError
    from nettuner.tasks.named_study import name_of

    try:
        return name_of(study)
    except StudyError as error:
        fail(str(error), 2)


COMMANDS: tuple[Callable[..., None], ...] = (up, serve, retune, promote, rollback, history)
