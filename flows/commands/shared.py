"""What the commands of the command line share: how they run a flow, and how they fail."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

import typer

from nettuner.flows.commands.unforeseen import unforeseen
from nettuner.models.address import without_accounts
from nettuner.models.brief import brief

Result = TypeVar("Result")

StudyFile = Annotated[Path, typer.Argument(help="The study, a YAML file.", show_default=False)]
StudyName = Annotated[
    str, typer.Argument(help="The study's file, or its name.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Show the logs of Prefect and MLflow.")]


def fail(message: str, status: int) -> NoReturn:
    """Say what is wrong on standard error, a line for each fault, and leave."""
    say(message)
    raise typer.Exit(status)


def say(message: str) -> None:
    """Say what is wrong on standard error; values at bounded length, addresses without accounts."""
    for line in brief(without_accounts(message)).splitlines():
        print(f"error: {line}", file=sys.stderr)


def started(work: Callable[[], Result], again: str, verbose: bool) -> Result:
    """Run a flow against the servers of the home; whatever ends it early is one line.

    Args:
        work: The flow.
        again: Advice after an interruption.
        verbose: True to show an unexpected exception as it is.
    """
    from nettuner.flows.engine.search import SearchFailedError
    from nettuner.flows.servers import resident

    signal.signal(signal.SIGTERM, as_interrupt)
    try:
        resident.wait()
        return work()
    except KeyboardInterrupt:
        print(f"interrupted; {again}", file=sys.stderr)
        raise typer.Exit(130) from None
    except SearchFailedError as error:
        fail(str(error), 1)
    except ValueError as error:
        fail(str(error), 2)
    except Exception as error:
        if verbose:
            raise
        fail(unforeseen(error), 1)


def as_interrupt(*_: object) -> NoReturn:
    """A polite kill ends things as Ctrl-C does."""
    raise KeyboardInterrupt
