"""A home that cannot work is said before anything starts."""

import resource
import sqlite3
from contextlib import closing

import pytest

from nettuner.tasks import sound_home
from nettuner.tasks.home import HomeError


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("NETTUNER_HOME", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    return tmp_path


def checked():
    sound_home.check_home()
    sound_home.check_records()
    sound_home.check_flow_runs()


def test_an_empty_home_and_whole_databases_are_sound(home):
    checked()
    for name in ("mlflow.db", "prefect.db"):
        with closing(sqlite3.connect(home / name)) as database:
            database.execute("create table t (x)")
    (home / "prefect.db").chmod(0o600)
    checked()


def test_a_database_that_somebody_writes_to_is_sound(home):
    with closing(sqlite3.connect(home / "mlflow.db", isolation_level=None)) as database:
        database.execute("create table t (x)")
        database.execute("begin exclusive")
        checked()


@pytest.mark.parametrize("name", ["mlflow.db", "prefect.db"])
@pytest.mark.parametrize("content", [b"rubbish" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_database_is_named_with_what_it_costs(name, content, home):
    (home / name).write_bytes(content)
    with pytest.raises(HomeError, match=rf"{name} must be a whole SQLite database, got: .*; put"):
        checked()


def test_a_folder_in_the_place_of_a_database_is_said(home):
    (home / "mlflow.db").mkdir()
    with pytest.raises(HomeError, match=r"mlflow\.db must be a whole SQLite database"):
        checked()


def test_a_disk_without_room_is_said(home, monkeypatch):
    monkeypatch.setattr(sound_home, "LEAST_FREE", 2**80)
    with pytest.raises(HomeError, match=r"must have \d+ MB of room, got \d+ MB in .*; make room"):
        checked()


def test_a_file_that_cannot_be_written_is_said(home):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(
            HomeError, match=r"that can be written to, got .*: file too large; make"
        ):
            checked()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
