"""Prefect's database of a new home, made of a file: its own migrations take long for that.

They run all the same, and bring it up to the installed Prefect where that is newer than the file.

Run: python -m nettuner.flows.prefect_runs.empty_database      writes the file anew
"""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from nettuner.tasks.home import FLOW_RUNS

DUMP = Path(__file__).with_name("empty_database.sql")
FILE = "sqlite+aiosqlite:///"
MIGRATIONS = "server/database/_migrations/versions/sqlite"
REVISION = re.compile(r'INSERT INTO "alembic_version" VALUES\(\'(\w+)\'\)')


def prepare(url: str) -> None:
    """Make the database at a URL if it is a file that is missing; else leave it to Prefect.

    Args:
        url: URL of the database.
    """
    if not url.startswith(FILE):
        return
    path = Path(url.removeprefix(FILE))
    if path.exists() or not _is_known(DUMP.read_text(encoding="utf-8")):
        return
    with suppress(OSError, sqlite3.Error), _beside(path) as made:
        fill(made)
        os.link(made, path)  # or it was made meanwhile


def fill(path: Path) -> None:
    """Write the tables of the file into a new database."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(DUMP.read_text(encoding="utf-8"))


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A file in a folder of its own beside a path, on the same disk."""
    with TemporaryDirectory(dir=path.parent, prefix=".prefect-") as folder:
        yield Path(folder) / path.name


def _is_known(dump: str) -> bool:
    """Whether the installed Prefect can go on from the state that the file is in."""
    found = REVISION.search(dump)
    spec = find_spec("prefect")
    if found is None or spec is None or spec.origin is None:
        return False
    folder = Path(spec.origin).parent / MIGRATIONS
    return any(folder.glob(f"*_{found[1]}_*.py"))


def migrated(path: Path) -> None:
    """Have the installed Prefect make an empty database at a path.

    Raises:
        CalledProcessError: It could not.
    """
    subprocess.run(
        [sys.executable, "-m", "prefect", "server", "database", "upgrade", "-y"],
        env={**os.environ, FLOW_RUNS: f"{FILE}{path}", "DO_NOT_TRACK": "1"},
        stdout=subprocess.DEVNULL,
        check=True,
    )


def write() -> None:
    """Write the file anew, as the installed Prefect makes its database."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "prefect.db"
        migrated(path)
        with closing(sqlite3.connect(path)) as database:
            DUMP.write_text("\n".join(database.iterdump()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
