"""The database of a new home is the one that Prefect would have made."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from contextlib import closing

import pytest

from nettuner.flows.prefect_runs import empty_database
from nettuner.flows.prefect_runs.empty_database import DUMP, FILE, fill, migrated, prepare


def content(path):
    """Everything in a database: what its tables, indexes, views and triggers are, and its rows.

    Prefect makes the constraints of a table in another order each time.
    """
    with closing(sqlite3.connect(path)) as database:
        told = sorted(sorted(_lines(statement)) for statement in database.iterdump())
        return told, database.execute("PRAGMA journal_mode").fetchone()


def _lines(statement):
    return [line.strip().rstrip(",") for line in statement.splitlines()]


@pytest.mark.slow
def test_it_is_what_the_installed_prefect_makes(tmp_path):
    migrated(tmp_path / "theirs.db")
    prepare(f"{FILE}{tmp_path / 'ours.db'}")
    assert content(tmp_path / "ours.db") == content(tmp_path / "theirs.db"), (
        "run make empty-database"
    )


def test_one_that_is_there_stays_as_it_is(tmp_path):
    path = tmp_path / "prefect.db"
    path.write_bytes(b"somebody's records")
    prepare(f"{FILE}{path}")
    assert path.read_bytes() == b"somebody's records"
    assert [file.name for file in tmp_path.iterdir()] == ["prefect.db"]


def test_what_is_no_file_is_left_to_prefect(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    prepare("postgresql+asyncpg://somebody@127.0.0.1/prefect")
    prepare("")
    assert not list(tmp_path.iterdir())


def test_a_prefect_that_does_not_know_the_state_of_the_file_makes_its_own(tmp_path, monkeypatch):
    older = tmp_path / "dump.sql"
    text = DUMP.read_text()
    known = empty_database.REVISION.search(text)[1]
    older.write_text(text.replace(known, "0123456789ab"))
    monkeypatch.setattr(empty_database, "DUMP", older)
    prepare(f"{FILE}{tmp_path / 'prefect.db'}")
    assert not (tmp_path / "prefect.db").exists()


def test_two_that_make_it_at_once_leave_one_whole_database(tmp_path):
    path = tmp_path / "prefect.db"
    code = (
        "from nettuner.flows.prefect_runs.empty_database import prepare\n"
        f"prepare({f'{FILE}{path}'!r})"
    )
    both = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [one.wait(60) for one in both] == [0, 0]
    fill(tmp_path / "alone.db")
    assert content(path) == content(tmp_path / "alone.db")


def test_nobody_else_may_read_it(tmp_path):
    code = (
        "import os\nos.umask(0o077)\n"
        "from nettuner.flows.prefect_runs.empty_database import prepare\n"
        f"prepare({f'{FILE}{tmp_path}/prefect.db'!r})"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert stat.S_IMODE((tmp_path / "prefect.db").stat().st_mode) & 0o077 == 0
