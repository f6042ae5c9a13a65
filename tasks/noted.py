"""The servers that stay for a home: the note that they leave, and the commands that use them.

Imports nothing that is slow: every command reads the note as its first step.
"""

from __future__ import annotations

import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from nettuner.tasks.process_note import began, lives, read, write


@dataclass(frozen=True)
class Served:
    """One of the servers.

    Args:
        address: URL of its pages.
        process: Id of its process; None while it has none.
        answers: Whether it has answered since it was started.
    """

    address: str
    process: int | None = None
    answers: bool = False


@dataclass(frozen=True)
class Noted:
    """The servers of a home.

    Args:
        process: Id of the process that supervises them.
        created: When that process began, seconds since 1970.
        version: Version of nettuner.
        place: Folder of its code.
        since: When they were started, seconds since 1970.
        idle_minutes: Minutes without any use after which they end.
        prefect, mlflow: The servers.
    """

    process: int
    created: float
    version: str
    place: str
    since: float
    idle_minutes: float
    prefect: Served
    mlflow: Served


@dataclass(frozen=True)
class Attached:
    """A command that uses the servers.

    Args:
        process: Id of its process.
        created: When it began, seconds since 1970.
        command: What it is, for people.
        mlflow: Whether its records are those that MLflow's server shows.
    """

    process: int
    created: float
    command: str
    mlflow: bool


def folder_of(home: Path) -> Path:
    """The folder of the note, made if it is missing."""
    folder = home / "resident"
    folder.mkdir(exist_ok=True)
    return folder


def running(home: Path) -> Noted | None:
    """The servers of a home; None if none run."""
    told = read(home / "resident" / "servers.json")
    try:
        found = Noted(
            **{**told, "prefect": Served(**told["prefect"]), "mlflow": Served(**told["mlflow"])}
        )
    except (KeyError, TypeError):  # there is no note, or it is no note
        return None
    return found if lives(found.process, found.created) else None


def leave_note(home: Path, found: Noted) -> None:
    """Leave word of the servers."""
    write(folder_of(home) / "servers.json", asdict(found))


def remove_note(home: Path) -> None:
    """They run no longer."""
    (home / "resident" / "servers.json").unlink(missing_ok=True)


def attach(home: Path, mlflow: bool) -> None:
    """This process uses the servers as long as it lives."""
    words = [Path(sys.argv[0]).stem, *sys.argv[1:]] if sys.argv else []
    file, created = _own_file(home)
    write(file, asdict(Attached(os.getpid(), created, " ".join(words)[:100], mlflow)))


def detach(home: Path) -> None:
    """This process does not use them any longer."""
    _own_file(home)[0].unlink(missing_ok=True)


def attached(home: Path) -> list[Attached]:
    """The commands that use the servers; the files of those that have ended are removed."""
    found = []
    for file in _attached(home).glob("*.json"):
        try:
            one = Attached(**read(file))
        except TypeError:  # it has just been removed
            continue
        if lives(one.process, one.created):
            found.append(one)
        else:
            file.unlink(missing_ok=True)
    return found


def _own_file(home: Path) -> tuple[Path, float]:
    """The file of this process, which no later one of the same id has; and when it began."""
    created = began(os.getpid()) or 0.0
    return _attached(home) / f"{os.getpid()}-{created:.2f}.json", created


def _attached(home: Path) -> Path:
    folder = folder_of(home) / "attached"
    folder.mkdir(exist_ok=True)
    return folder
