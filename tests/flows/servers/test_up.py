"""What `nettuner up` refuses before it starts anything, and what its servers are told."""

from __future__ import annotations

import os
import socket

import pytest
from typer.testing import CliRunner

from nettuner.flows import cli
from nettuner.flows.servers import databases, up
from nettuner.flows.servers.processes import mlflow_server, prefect_server
from nettuner.flows.servers.up import Site, check, servers
from nettuner.tasks import home as home_module

PASSWORD = "a long one, with % and @"


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.setenv("NETTUNER_HOME", str(tmp_path))
    return Site("127.0.0.1", up.free_port(), up.free_port())


def test_servers_that_others_can_reach_need_a_password(site):
    check(site)
    with pytest.raises(ValueError, match=r"need a password, got --host 0\.0\.0\.0 without one"):
        check(Site("0.0.0.0", site.mlflow_port, site.prefect_port))
    check(Site("0.0.0.0", site.mlflow_port, site.prefect_port, PASSWORD))


def test_a_password_has_at_least_twelve_characters(site):
    with pytest.raises(ValueError, match="at least 12 characters, got 5"):
        check(Site("127.0.0.1", site.mlflow_port, site.prefect_port, "short"))


def test_a_port_that_is_taken_is_named_with_its_option(site):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", site.prefect_port))
        taken.listen()
        with pytest.raises(OSError, match=f"port {site.prefect_port} is taken.*--prefect-port"):
            check(site)


def test_a_home_has_one_set_of_servers_which_its_commands_find(site, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert home_module.tracking_uri().startswith("sqlite")
    home_module.note_servers("http://127.0.0.1:1", "http://127.0.0.1:2")
    assert home_module.tracking_uri() == "http://127.0.0.1:2"
    with pytest.raises(ValueError, match="one set of servers may run for a home"):
        check(site)
    home_module.forget_servers()
    check(site)


def test_servers_that_were_killed_are_forgotten(site, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    home_module.note_servers("http://127.0.0.1:1", "http://127.0.0.1:2")
    note = tmp_path / "servers.json"
    note.write_text(note.read_text().replace(str(os.getpid()), str(2**22 + 1)))  # no such process
    assert home_module.tracking_uri().startswith("sqlite")


def test_the_password_is_in_no_file_and_in_no_command(site, tmp_path):
    locked = Site(site.host, site.mlflow_port, site.prefect_port, PASSWORD)
    started = servers(locked, databases.embedded())
    for server in started:
        assert not any(PASSWORD in word for word in server.command)
    assert not any(PASSWORD in path.read_text() for path in tmp_path.glob("*.ini"))
    prefect, mlflow = (server.environment for server in started)
    assert prefect["PREFECT_SERVER_API_AUTH_STRING"] == f"nettuner:{PASSWORD}"
    assert mlflow["MLFLOW_AUTH_ADMIN_PASSWORD"] == PASSWORD
    assert (tmp_path / "mlflow-users.ini").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("port", [4200, 4311])
def test_prefects_pages_are_told_where_their_api_is(port):
    """With another port than the usual one they would ask at that, and stay empty."""
    told = prefect_server("127.0.0.1", port).environment
    assert told["PREFECT_SERVER_UI_API_URL"] == f"http://127.0.0.1:{port}/api"


@pytest.mark.parametrize("address", ["mysql://localhost/x", "nothing", "sqlite:///x.db"])
def test_a_database_that_is_no_postgresql_is_refused_in_a_line(address, site):
    ports = ["--mlflow-port", str(site.mlflow_port), "--prefect-port", str(site.prefect_port)]
    found = CliRunner().invoke(cli.app, ["up", *ports, "--database", address])
    assert found.exit_code == 2
    assert "--database takes postgresql://" in found.stderr


def test_a_database_that_does_not_answer_is_refused_without_its_password(site, monkeypatch):
    monkeypatch.setenv("RECORDS_PASSWORD", "secret")
    with pytest.raises(ValueError, match="must answer") as refused:
        databases.on_postgresql(
            f"postgresql://me:${{RECORDS_PASSWORD}}@127.0.0.1:{site.mlflow_port}/x"
        )
    assert "secret" not in str(refused.value)


def test_both_servers_have_schemas_of_their_own_and_name_their_drivers(monkeypatch):
    monkeypatch.setattr(databases, "_make_schemas", lambda url: None)
    found = databases.on_postgresql("postgresql://me@host:5433/all")
    assert found.prefect == "postgresql+asyncpg://me@host:5433/all"
    assert found.prefect_schema == "prefect"
    assert found.mlflow.startswith("postgresql+psycopg://me@host:5433/all?options=")
    assert "search_path%3Dmlflow" in found.mlflow
    assert found.mlflow != found.users
    assert found.environment == {}


def test_the_password_of_the_database_is_in_no_file_and_in_no_command(site, tmp_path, monkeypatch):
    monkeypatch.setattr(databases, "_make_schemas", lambda url: None)
    monkeypatch.setenv("RECORDS_PASSWORD", "p@ss/w:rd")
    found = databases.on_postgresql("postgresql://me:${RECORDS_PASSWORD}@host:5433/all")
    locked = Site(site.host, site.mlflow_port, site.prefect_port, PASSWORD)
    for server in servers(locked, found):
        assert server.environment["PGPASSWORD"] == "p@ss/w:rd"
        assert not any("host:5433" in word or "p@ss" in word for word in server.command)
    assert "p%40ss" not in found.prefect + found.mlflow + found.users
    assert not any("p@ss" in path.read_text() for path in tmp_path.glob("*.ini"))


def test_a_password_on_the_command_line_is_refused_with_the_way_out(site):
    ports = ["--mlflow-port", str(site.mlflow_port), "--prefect-port", str(site.prefect_port)]
    address = "postgresql://me:hunter2@127.0.0.1:9/x"
    found = CliRunner().invoke(cli.app, ["up", *ports, "--database", address])
    assert found.exit_code == 2
    (line,) = found.stderr.splitlines()
    assert "write ${NAME} in its place and set the environment variable NAME" in line
    assert "hunter2" not in line


def test_a_store_of_searches_is_in_no_command(monkeypatch):
    """`nettuner ui` shows what MLFLOW_TRACKING_URI names, which may be a database."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://me:hunter2@host/x")
    server = mlflow_server("127.0.0.1", 5000)
    assert not any("hunter2" in word for word in server.command)
    assert server.environment["MLFLOW_BACKEND_STORE_URI"].endswith("hunter2@host/x")


def test_no_option_takes_a_password_which_everybody_could_list(site):
    found = CliRunner().invoke(cli.app, ["up", "--password", PASSWORD])
    assert found.exit_code == 2
    assert "No such option" in found.stderr
