"""A query reads, and nothing else, on real databases."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from nettuner.models.production.query import _opened, run_query


@pytest.fixture
def shop(tmp_path):
    """A database of two sales."""
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table sales (x, y)")
        connection.executemany("insert into sales values (?, ?)", [(1, "p"), (2, "q")])
        connection.commit()
    return path


def left(folder):
    """All files of a folder, with their contents."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("select x, y from sales;", 2),
        ("-- of today\nselect x from sales", 2),
        ("with few as (select x from sales where x > 1) select * from few", 1),
        (
            "with recursive c(k) as (values (1) union all select k + 1 from c where k < 5) "
            "select k from c",
            5,
        ),
        ("values (1), (2), (3)", 3),
        ("select count(*), max(x) from sales", 1),
        ("select 'a;b' from sales where y <> 'x\\y'", 2),
    ],
)
def test_what_reads_gives_its_rows(query, count, shop):
    assert len(run_query(query, f"sqlite:///{shop}")) == count


@pytest.mark.parametrize(
    ("query", "got"),
    [
        ("drop table sales", "DROP"),
        ("delete from sales returning x", "DELETE"),
        ("attach 'new.db' as other", "ATTACH"),
        ("vacuum into 'new.db'", "VACUUM"),
        ("pragma user_version = 3", "PRAGMA"),
        ("select 1; drop table sales", "got 2"),
        (";", "got 0"),
        ("select x into copied from sales", "SELECT ... INTO"),
    ],
)
def test_what_does_more_is_refused_and_changes_nothing(query, got, shop, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = left(tmp_path)
    with pytest.raises(ValueError, match=r"a query must .*; (keep|write)") as refused:
        run_query(query, f"sqlite:///{shop}")
    assert got in str(refused.value)
    assert left(tmp_path) == before


@pytest.mark.parametrize(
    "statement",
    [
        "drop table sales",
        "insert into sales values (3, 'r')",
        "create temp table other (x)",
        "attach 'new.db' as other",
        "vacuum into 'new.db'",
        "pragma query_only = off",
        "select load_extension('x')",
    ],
)
def test_the_connection_itself_takes_nothing_else(statement, shop, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = left(tmp_path)
    with closing(_opened(str(shop))) as connection, pytest.raises(sqlite3.Error):
        connection.execute(statement)
    assert left(tmp_path) == before


def test_a_file_that_is_not_there_is_said_and_not_made(tmp_path):
    with pytest.raises(ValueError, match=r"must be a file, got none at .*none\.db; correct"):
        run_query("select 1", f"sqlite:///{tmp_path / 'none.db'}")
    assert list(tmp_path.iterdir()) == []


def test_a_password_in_the_address_is_refused_before_anybody_is_asked():
    with pytest.raises(ValueError, match=r"must not have a password.*write \$\{NAME\}") as refused:
        run_query("select 1", "postgresql://reader:hunter2@127.0.0.1:9/shop")
    assert "hunter2" not in str(refused.value)


def test_an_address_that_cannot_be_parsed_is_said_without_its_password():
    with pytest.raises(ValueError, match="must be dialect://") as refused:
        run_query("select 1", "postgresql://reader:hunter2@host:port/shop")
    assert "hunter2" not in str(refused.value)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A PostgreSQL server with a password, and a table; gives its address."""
    places = os.pathsep.join(
        [os.environ["PATH"], *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
    )
    initdb, pg_ctl = (shutil.which(name, path=places) for name in ("initdb", "pg_ctl"))
    if initdb is None or pg_ctl is None:
        pytest.skip("left out: PostgreSQL's initdb and pg_ctl are not installed")
    root = os.getuid() == 0
    folder = tmp_path_factory.mktemp("postgresql")
    for parent in (folder, *folder.parents):
        if parent.stat().st_uid == os.getuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)
    if root:
        shutil.chown(folder, "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def run(*words):
        switch = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
        command = [*(switch if root else []), *map(str, words)]
        subprocess.run(command, check=True, capture_output=True, cwd=folder, timeout=60)

    secret = folder / "secret"
    secret.write_text("a: /b@")
    secret.chmod(0o644)
    given = ["--username", "tuner", "--pwfile", secret, "--auth-host", "scram-sha-256"]
    run(initdb, *given, "--pgdata", folder / "data")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
    run(pg_ctl, "-D", folder / "data", "-l", folder / "log", "-o", options, "-w", "start")
    try:
        import psycopg

        told = {"host": "127.0.0.1", "port": port, "user": "tuner", "password": "a: /b@"}
        with psycopg.connect(**told, dbname="postgres") as connection:
            connection.execute("create table sales as select x from generate_series(1, 3) as x")
        yield f"postgresql://tuner:${{SHOP_PASSWORD}}@127.0.0.1:{port}/postgres"
    finally:
        run(pg_ctl, "-D", folder / "data", "-m", "immediate", "stop")


@pytest.fixture
def postgresql(server, monkeypatch):
    monkeypatch.setenv("SHOP_PASSWORD", "a: /b@")
    return server


@pytest.mark.slow
@pytest.mark.parametrize(
    "query",
    [
        "with gone as (delete from sales returning x) select x from gone",
        "select nextval('orders')",
        "select set_config('transaction_read_only', 'off', false) from sales",
        # The backslash ends the text for PostgreSQL, and does not for a parser of other dialects.
        "select 'a\\'; rollback; drop table sales; --'",
    ],
)
def test_postgresql_refuses_what_writes(query, postgresql):
    import psycopg
    from sqlalchemy import create_engine

    from nettuner.models.address import database

    with create_engine(database(postgresql)).begin() as connection:
        connection.exec_driver_sql("create sequence if not exists orders")
    with pytest.raises(ValueError, match="the query must run on the database, got "):
        run_query(query, postgresql)
    assert psycopg.__version__.startswith("3.")
    assert run_query("select x from sales order by x", postgresql)["x"].tolist() == [1, 2, 3]


@pytest.mark.slow
def test_a_password_is_held_by_the_variable_that_the_address_names(postgresql, monkeypatch):
    assert len(run_query("table sales", postgresql)) == 3
    assert run_query("select '5%' as p, 7::int as n", postgresql)["p"].tolist() == ["5%"]
    monkeypatch.delenv("SHOP_PASSWORD")
    with pytest.raises(ValueError, match=r"environment variable SHOP_PASSWORD, got none; set it"):
        run_query("table sales", postgresql)
