"""The command `nettuner`. What takes long to import is imported where it is used."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from nettuner.flows.commands import production, records, servers
from nettuner.flows.commands.init import init
from nettuner.flows.commands.overridden import numbers, overridden, runner_of
from nettuner.flows.commands.shared import (
    Json,
    StudyFile,
    StudyName,
    Verbose,
    as_interrupt,
    fail,
    say,
    started,
)
from nettuner.flows.commands.unforeseen import unforeseen
from nettuner.flows.servers import resident
from nettuner.tasks import runner_names
from nettuner.tasks.home import HomeError
from nettuner.tasks.private import keep_private, umask
from nettuner.tasks.strategy_names import spoken
from nettuner.tasks.uncollected import uncollected

if TYPE_CHECKING:
    from nettuner.flows.engine.search import SearchResult
    from nettuner.models.study import Study
    from nettuner.tasks.plan import Fit, Plan

app = typer.Typer(
    name="nettuner",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Tune the hyperparameters of neural networks: a *study* (a YAML file) says what to "
    "train, on what data, over which space, towards which metric.\n\n"
    "Start: `nettuner check study.yaml`, then `nettuner search study.yaml`, then "
    "`nettuner trials study.yaml`, `nettuner compare study.yaml` and `nettuner ui`.\n\n"
    "Everything is kept in ~/.nettuner, or where NETTUNER_HOME, MLFLOW_TRACKING_URI and "
    "PREFECT_API_URL say.",
)


def _say_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(version("nettuner"))
        raise typer.Exit


@app.callback()
def _every_command(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_say_version, is_eager=True),
    ] = False,
) -> None:
    """What can be said before any command."""


def main() -> None:
    """Run the command; whatever goes wrong is one line."""
    keep_private()
    try:
        try:
            app()
        finally:
            if sys.stdout is not None:  # else it was closed when this began
                sys.stdout.flush()
    except HomeError as error:
        _leave(str(error), 2)
    except Exception as error:
        _leave(unforeseen(error), 1)


def _leave(message: str, status: int) -> NoReturn:
    """Say what is wrong and leave; what standard output does not take is dropped."""
    say(message)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(status)


def study_of(path: Path) -> Study:
    """A study from its file; leaves with status 2 if it is bad."""
    from nettuner.models.study_file import StudyError, load
    from nettuner.tasks.named_study import study_file

    try:
        return load(study_file(str(path)))
    except (StudyError, ValueError) as error:
        fail(str(error), 2)


def plan_of(study: Study, file: str, fit: Fit, strategy: str | None = None) -> Plan:
    """All that follows from a study; leaves with status 2 if its parts do not fit together."""
    from nettuner.models.study_file import StudyError
    from nettuner.tasks.plan import make_plan, using

    try:
        if strategy is not None:
            study = using(study, strategy)
        return make_plan(study, file, fit)
    except (StudyError, ValueError) as error:
        fail(str(error), 2)


@app.command()
def check(study: StudyFile, as_json: Json = False) -> None:
    """Say what is wrong with a study, or show its space and size; trains nothing.

    Leaves with status 2 and one line for each fault if the study is bad.
    """
    from nettuner.flows.commands.as_json import of_plan
    from nettuner.flows.commands.fit import fit
    from nettuner.flows.commands.show import show_plan
    from nettuner.flows.commands.show_json import show_json

    plan = plan_of(study_of(study), study.name, fit)
    if as_json:
        show_json(of_plan(plan))
    else:
        show_plan(plan)


@app.command()
def search(
    study: Annotated[
        Path | None, typer.Argument(help="The study, a YAML file.", show_default=False)
    ] = None,
    strategy: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Search with this strategy instead of the study's: {spoken()}. "
            "May be given several times; they run one after another.",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the search that was interrupted.")
    ] = False,
    width: Annotated[
        int | None, typer.Option(min=1, help="Trials in flight at once.", show_default=False)
    ] = None,
    output: Annotated[
        bool, typer.Option("--output", help="Show what trials print, as it comes.")
    ] = False,
    device: Annotated[
        str | None,
        typer.Option(help="Train on auto, cpu, cuda, cuda:1 or mps.", show_default=False),
    ] = None,
    devices: Annotated[
        str | None, typer.Option(help="The GPUs to train on: 0,1.", show_default=False)
    ] = None,
    per_device: Annotated[
        int | None, typer.Option(min=1, help="Trials that share a GPU.", show_default=False)
    ] = None,
    runner: Annotated[
        str | None,
        typer.Option(
            help=f"Spread trials over machines by one of: {', '.join(runner_names.names())}.",
            show_default=False,
        ),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            help="Where the runner's cluster answers; else one is started here.", show_default=False
        ),
    ] = None,
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="Give the same bits whenever it is repeated.")
    ] = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Search a study's space and keep every trial.

    Prefect runs the trials, MLflow records them; `nettuner ui` shows both. Ctrl-C ends the search
    cleanly, and `--resume` goes on where it stopped.
    """
    if study is None:
        fail("say which study: nettuner search STUDY.yaml; nettuner init writes a first one", 2)
    print(f"{study}: starting Prefect and MLflow …", file=sys.stderr, flush=True)
    resident.begin()
    from nettuner.flows.servers.forks import forks

    with forks():
        from nettuner.flows.commands.fit import fitting
        from nettuner.flows.servers.logging_setup import keep_quiet

        said = study_of(study)
        own = {"device": device, "devices": numbers(devices), "per_device": per_device}
        spread = runner_of(said, runner, address)
        found = overridden(said, **own, runner=spread, deterministic=deterministic or None)
        with fitting(found) as fit:  # it is imported and read beside what is imported here
            keep_quiet(verbose)
            with uncollected():
                from nettuner.flows.commands.as_json import of_result
                from nettuner.flows.commands.show import show_result
                from nettuner.flows.commands.show_json import show_json
                from nettuner.flows.engine import find  # noqa: F401 - takes seconds
                from nettuner.tasks.training.printed import output_shown

            wanted: list[str | None] = [*strategy] if strategy else [None]
            plans = [plan_of(found, study.name, fit, name) for name in wanted]
        results = []
        for plan in plans:
            chosen = plan.study.model_copy(update={"width": width} if width else {})
            with output_shown(output):
                result = _run(chosen, plan.strategy_name, resume, study, verbose)
            results.append(of_result(result, plan))
            if not as_json:
                show_result(result, plan)
    if as_json:
        show_json(results)
    else:
        print("look at every trial: nettuner ui")


def _run(study: Study, strategy: str, resume: bool, path: Path, verbose: bool) -> SearchResult:
    from nettuner.flows.engine.find import flow_of

    again = f"nettuner search {path} --strategy {strategy} --resume"
    return started(
        lambda: flow_of(strategy)(study, resume=resume),
        f"what was finished is kept. Go on with: {again}",
        verbose,
    )


@app.command()
def replay(
    study: StudyName,
    search: Annotated[
        str | None,
        typer.Option(
            help="The population search to replay, by its name in MLflow; left out: the latest.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=2**32 - 1,
            help="Other initial weights and batches than with the study's own seed.",
            show_default=False,
        ),
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Train one network from scratch on the schedule that a population found.

    The winner of a population was trained under hyperparameters that changed; this tells what
    the same schedule is worth to a network that is trained on it from its beginning.
    """
    resident.begin()
    from nettuner.flows.servers.logging_setup import keep_quiet

    keep_quiet(verbose)
    from nettuner.flows.commands.show import show_replay
    from nettuner.flows.replay import replay as flow
    from nettuner.flows.replay import to_replay
    from nettuner.models.study_file import StudyError

    try:
        found = to_replay(study, search)
    except (StudyError, ValueError) as error:
        fail(str(error), 2)
    print(f"replaying {found.past.name}: starting Prefect and MLflow …", file=sys.stderr)
    again = "nothing of a replay is kept; start it anew"
    show_replay(started(lambda: flow(found.study, found.past.name, seed), again, verbose))
    print("look at it beside the search: nettuner ui")


@app.command()
def ui(
    mlflow_port: Annotated[
        int | None, typer.Option(help="Port of MLflow's pages.", show_default=False)
    ] = None,
    prefect_port: Annotated[
        int | None, typer.Option(help="Port of Prefect's pages.", show_default=False)
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open them in the browser.")] = True,
) -> None:
    """Show what was recorded: runs in MLflow, DAGs in Prefect.

    The pages are those of the servers that searches use, too. With a port, or with
    NETTUNER_SERVERS=none, they are served until Ctrl-C.
    """
    from nettuner.flows.servers.pages import show_pages

    signal.signal(signal.SIGTERM, as_interrupt)
    try:
        show_pages(mlflow_port, prefect_port, browser)
    except (OSError, RuntimeError) as error:
        fail(str(error), 1)


@app.command()
def schema(
    output: Annotated[
        Path | None,
        typer.Option(
            help="File to write; one that ends in .md is a page with every setting. "
            "Default: print the schema.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write the JSON schema of a study, with which editors complete and check one."""
    import json

    from nettuner.tasks.schema import study_schema
    from nettuner.tasks.study_page import study_page

    if output is not None and output.suffix == ".md":
        text = study_page()
    else:
        text = json.dumps(study_schema(), indent=2) + "\n"
    if output is None:
        print(text, end="")
    else:
        with umask(keep_private()):
            output.write_text(text, encoding="utf-8")


for command in (init, *records.COMMANDS, *servers.COMMANDS, *production.COMMANDS):
    app.command()(command)

if __name__ == "__main__":
    main()
