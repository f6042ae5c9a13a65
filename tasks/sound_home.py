"""Whether the home can be written to and its databases can be read, before anything starts."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from nettuner.tasks.home import HomeError, home, tracking_uri

# What the databases of both servers take at first, and some room for trials.
LEAST_FREE = 20 * 2**20
BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
SQLITE = "sqlite:///"


def check_home() -> None:
    """Check that the home has room and can be written to.

    Raises:
        HomeError: It has not, or cannot.
    """
    folder = home()
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(2**20))
            probe.flush()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise HomeError(
            f"NETTUNER_HOME must be a folder that can be written to, got {folder}: "
            f"{str(error.strerror).lower()}; make room, or set it to another folder"
        ) from None
    if free < LEAST_FREE:
        raise HomeError(
            f"NETTUNER_HOME must have {LEAST_FREE // 2**20} MB of room, got {free // 2**20} MB in "
            f"{folder}; make room, or set it to another folder"
        )


def check_records() -> None:
    """Check MLflow's database, where it is a file.

    Raises:
        HomeError: It is damaged.
    """
    if tracking_uri().startswith(SQLITE):
        check_database(Path(tracking_uri().removeprefix(SQLITE)), "the searches in it are lost")


def check_flow_runs() -> None:
    """Check the database of the Prefect server that this machine would start.

    Raises:
        HomeError: It is damaged.
    """
    check_database(home() / "prefect.db", "searches are not in it; Prefect's pages begin anew")


def check_database(file: Path, cost: str) -> None:
    """Check that a file is an SQLite database that can be read, if it exists.

    Args:
        file: Path of the file.
        cost: What is lost with it.

    Raises:
        HomeError: It is not.
    """
    if not file.exists():
        return
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True)) as found:
            found.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        if error.sqlite_errorcode in BUSY:
            return
        raise HomeError(
            f"{file} must be a whole SQLite database, got: {error}; put a copy in its place, or "
            f"move it away ({cost})"
        ) from None
