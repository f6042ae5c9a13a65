"""Servers that stay: one set for a home, which ends by itself, whatever is killed and when."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import asdict, replace
from datetime import datetime
from types import SimpleNamespace

import psutil
import pytest

from nettuner.flows.servers import resident, supervisor
from nettuner.tasks import noted, process_note
from nettuner.tasks.home import HomeError, mlflow_server, mlflow_ui

long = pytest.mark.long
# A command that joins, says so, and lives until its input ends.
JOINS = """
from nettuner.flows.servers import resident
resident.begin()
print("joined", flush=True)
input()
"""
STUDY = """
name: bowl
learner: functions.py:bowl
metric: loss
direction: minimize
space: {x: {distribution: uniform, low: 0, high: 1}}
strategy: random
width: 1
stop: {trials: 3}
"""
BOWL = """
import pathlib, time

def bowl(h, report):
    pathlib.Path(__file__).with_name("begun").touch()
    time.sleep(3)
    return h["x"] ** 2
"""


class Place:
    """A home, the commands in it, and all processes that serve it."""

    def __init__(self, folder):
        self.folder = folder
        self.home = folder / "home"
        kept = (n for n in os.environ if not n.startswith(("PREFECT_", "MLFLOW_", "NETTUNER_")))
        self.environment = {name: os.environ[name] for name in kept} | {
            "NETTUNER_HOME": str(self.home),
            "NETTUNER_IDLE_MINUTES": "30",
            "PREFECT_HOME": str(folder / "prefect"),
        }

    def python(self, script, **environment):
        """A process that is not waited for."""
        return subprocess.Popen(
            [sys.executable, "-P", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**self.environment, **environment},
        )

    def joined(self, **environment):
        """A command that has joined, or has started the servers."""
        command = self.python(JOINS, **environment)
        assert command.stdout.readline() == "joined\n", command.stderr.read()
        return command

    def nettuner(self, *words, **environment):
        """Status, output and lines of complaint of a command."""
        done = subprocess.run(
            [sys.executable, "-P", "-m", "nettuner.flows.cli", *words],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env={**self.environment, **environment},
            timeout=300,
        )
        lines = [line for line in done.stderr.splitlines() if "starting" not in line]
        return done.returncode, done.stdout, lines

    def processes(self):
        """What serves this home: the supervisor and the servers, also those that were left."""
        found = []
        for process in psutil.process_iter():
            try:
                serves = any("nettuner.flows.servers." in word for word in process.cmdline())
                if serves and process.environ().get("NETTUNER_HOME") == str(self.home):
                    found.append(process.pid)
            except psutil.Error:
                continue
        return found

    def running(self):
        return noted.running(self.home)

    def until(self, condition, seconds=120):
        """What the condition gives once that is something."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := condition():
                return found
            time.sleep(0.1)
        log = self.home / "resident.log"
        raise AssertionError(f"not in time; {log.read_text() if log.exists() else 'no log'}")

    def answering(self):
        """The servers, once both answer."""

        def both():
            found = self.running()
            return found if found and found.prefect.answers and found.mlflow.answers else None

        return self.until(both)

    def empty(self):
        """Whether nothing serves this home."""
        return not self.processes()


def leave(command):
    command.stdin.close()
    command.wait(timeout=60)
    for stream in (command.stdout, command.stderr):
        stream.close()


def kill(command):
    command.kill()
    command.communicate()


def ask(address, path="/", method="GET", **headers):
    request = urllib.request.Request(f"{address}{path}", method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.fixture(scope="module")
def databases(tmp_path_factory):
    """A home whose databases are made, which takes longer than all else."""
    place = Place(tmp_path_factory.mktemp("databases"))
    command = place.joined()
    place.answering()
    leave(command)
    assert place.nettuner("down")[0] == 0
    return place


@pytest.fixture
def place(tmp_path, databases):
    found = Place(tmp_path)
    found.home.mkdir()
    for file in databases.home.glob("*.db*"):
        shutil.copy(file, found.home)
    yield found
    if here := found.running():
        os.kill(here.process, signal.SIGTERM)
    found.until(found.empty)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Of this process."""
    monkeypatch.setenv("NETTUNER_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("NETTUNER_MLFLOW_UI", raising=False)
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def note(**changes):
    """Of this process, as if it kept servers."""
    version, where = resident.origin()
    served = noted.Served("http://127.0.0.1:4200", os.getpid(), True)
    mlflow = noted.Served("http://127.0.0.1:5123", os.getpid(), True)
    process = os.getpid()
    given = (
        process,
        process_note.began(process),
        version,
        where,
        time.time(),
        30.0,
        served,
        mlflow,
    )
    return replace(noted.Noted(*given), **changes)


@long
def test_two_commands_at_the_same_moment_start_one_set_which_both_use(place):
    first, second = place.python(JOINS), place.python(JOINS)
    for command in (first, second):
        assert command.stdout.readline() == "joined\n"
    found = place.answering()
    assert len(place.processes()) == 3  # the supervisor, Prefect and MLflow
    assert {one.process for one in noted.attached(place.home)} == {first.pid, second.pid}
    third = place.joined()
    assert place.running() == found
    for command in (first, second, third):
        leave(command)


@long
def test_the_pages_are_alive_and_those_of_this_machine_alone(place):
    command = place.joined()
    found = place.answering()
    for address in (found.prefect.address, found.mlflow.address):
        assert ask(address) == 200
        assert ask(address, host="evil.example") in (400, 403)
    change = "/api/2.0/mlflow/experiments/create"
    for stranger in ("http://evil.example", "http://localhost:1"):
        assert ask(found.mlflow.address, change, "POST", origin=stranger) == 403
        assert ask(found.prefect.address, "/api/flows/", "POST", origin=stranger) == 403
    assert ask(found.prefect.address, "/api/flows/", "POST") == 403  # without a token
    leave(command)


@long
def test_they_end_when_nobody_has_used_them_for_the_time_that_is_said(place):
    command = place.joined(NETTUNER_IDLE_MINUTES="0.1")  # six seconds
    place.answering()
    time.sleep(8)
    assert place.running()  # as long as the command lives
    kill(command)
    ended = time.monotonic()
    place.until(place.empty, 60)
    assert time.monotonic() - ended > 5
    assert not place.running()
    assert list((place.home / "resident" / "attached").iterdir()) == []


@long
def test_a_look_at_a_page_is_a_use_and_a_look_at_the_health_is_none(place):
    command = place.joined()
    found = place.answering()
    leave(command)
    used = place.home / "resident" / "used"
    time.sleep(2.5)  # the supervisor has seen that the command is gone
    for path, is_use in (("/health", False), ("/version", True)):
        before = used.stat().st_mtime
        assert ask(found.mlflow.address, path) == 200
        assert (used.stat().st_mtime > before) is is_use


@long
@pytest.mark.parametrize("name", ["prefect", "mlflow"])
def test_a_server_that_is_killed_is_started_again_where_it_was(place, name):
    command = place.joined()
    before = getattr(place.answering(), name)
    os.kill(before.process, signal.SIGKILL)
    assert ask(before.address) == 200  # who asks meanwhile waits

    def again():
        found = place.running()
        now = getattr(found, name)
        return now if now.answers and now.process != before.process else None

    assert place.until(again).address == before.address
    assert len(place.processes()) == 3
    leave(command)


@long
@pytest.mark.parametrize("answering", [True, False])
def test_when_the_supervisor_is_killed_its_servers_end_and_the_next_command_starts_others(
    place, answering
):
    first = place.joined()
    before = place.answering() if answering else place.until(place.running)
    os.kill(before.process, signal.SIGKILL)
    second = place.joined()
    after = place.answering()
    assert after.process != before.process
    place.until(lambda: len(place.processes()) == 3, 30)
    leave(first)
    leave(second)


@long
def test_they_end_with_their_home(place):
    command = place.joined()
    place.until(place.running)
    shutil.rmtree(place.home)
    place.until(place.empty, 60)
    leave(command)


@long
def test_down_ends_them_when_no_command_uses_them_and_status_says_so(place):
    command = place.joined()
    found = place.answering()
    status, said, _ = place.nettuner("status")
    assert status == 0
    for part in (found.prefect.address, found.mlflow.address, f"process {command.pid}"):
        assert part in said
    told = json.loads(place.nettuner("status", "--json")[1])
    assert told["home"] == str(place.home)
    assert told["servers"]["prefect"]["address"] == found.prefect.address
    assert told["servers"]["mlflow"]["answers"] is True
    assert told["servers"]["users"] == [command.pid]
    assert told["servers"]["ends"] is None
    status, said, lines = place.nettuner("down")
    assert (status, said, len(lines)) == (1, "", 1)
    assert f"(process {command.pid}: " in lines[0]
    leave(command)
    assert "nobody uses them: they end at" in place.nettuner("status")[1]
    ends = json.loads(place.nettuner("status", "--json")[1])["servers"]["ends"]
    assert datetime.fromisoformat(ends).timestamp() > time.time()
    assert place.nettuner("down") == (0, f"the servers of {place.home} have ended\n", [])
    assert place.empty()
    assert place.nettuner("status")[1].startswith("no servers run for")
    assert json.loads(place.nettuner("status", "--json")[1])["servers"] is None
    assert place.nettuner("down")[0] == 0


@long
def test_those_of_another_nettuner_end_if_nobody_uses_them_and_are_left_alone_else(place):
    first = place.joined()
    before = place.answering()
    noted.leave_note(place.home, replace(before, version="0.0.9"))
    second = place.joined()
    leave(second)
    assert second.pid not in {one.process for one in noted.attached(place.home)}
    assert place.running().process == before.process
    leave(first)
    third = place.joined()
    after = place.answering()
    assert after.process != before.process
    assert after.version != "0.0.9"
    place.until(lambda: len(place.processes()) == 3, 30)
    leave(third)


@long
def test_a_search_outlives_a_server_that_is_killed_and_its_links_are_alive(place):
    (place.folder / "bowl.yaml").write_text(STUDY)
    (place.folder / "functions.py").write_text(BOWL)
    search = subprocess.Popen(
        [sys.executable, "-P", "-m", "nettuner.flows.cli", "search", "bowl.yaml"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=place.folder,
        env=place.environment,
    )
    place.until((place.folder / "begun").exists, 240)
    os.kill(place.running().prefect.process, signal.SIGKILL)
    said, complaints = search.communicate(timeout=300)
    assert search.returncode == 0, complaints
    found = place.answering()
    assert f"recorded as {found.mlflow.address}/#/experiments/" in said
    assert ask(found.mlflow.address) == 200
    status, said, _ = place.nettuner("ui", "--no-browser")
    assert status == 0
    assert f"Prefect: {found.prefect.address}" in said
    assert place.running().process == found.process


def test_a_note_of_a_process_that_is_gone_or_of_another_one_is_none(home):
    noted.leave_note(home, note())
    assert noted.running(home) == note(since=noted.running(home).since)
    noted.leave_note(home, note(created=process_note.began(os.getpid()) - 60))
    assert noted.running(home) is None
    noted.leave_note(home, note(process=2**22 + 1))
    assert noted.running(home) is None


@pytest.mark.parametrize("text", ["", "[]", "{", '{"process": 1}', '{"prefect": 1, "mlflow": 2}'])
def test_a_note_that_makes_no_sense_is_none(home, text):
    (noted.folder_of(home) / "servers.json").write_text(text)
    assert noted.running(home) is None


def test_links_lead_to_the_servers_that_stay_unless_the_records_are_elsewhere(home, monkeypatch):
    assert (mlflow_ui(), mlflow_server()) == ("http://127.0.0.1:5000", None)
    noted.leave_note(home, note())
    assert mlflow_ui() == mlflow_server() == "http://127.0.0.1:5123"
    noted.leave_note(home, note(mlflow=noted.Served("http://127.0.0.1:5123")))
    assert (mlflow_ui(), mlflow_server()) == ("http://127.0.0.1:5123", None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////elsewhere.db")
    noted.leave_note(home, note())
    assert (mlflow_ui(), mlflow_server()) == ("http://127.0.0.1:5000", None)


def test_a_port_that_is_taken_is_passed_by():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = supervisor._bound("mlflow", port)
        assert server.port not in (0, port)
        server.where.close()


def test_a_command_that_ended_is_no_longer_attached(home):
    noted.attach(home, mlflow=True)
    (own,) = noted.attached(home)
    assert (own.process, own.mlflow) == (os.getpid(), True)
    gone = {**asdict(own), "created": own.created - 60}  # of an earlier process of this id
    (home / "resident" / "attached" / "gone.json").write_text(json.dumps(gone))
    assert noted.attached(home) == [own]
    noted.detach(home)
    assert noted.attached(home) == []
    assert list((home / "resident" / "attached").iterdir()) == []


@pytest.mark.parametrize("given", ["0", "-1", "soon", "inf", "nan"])
def test_an_idle_time_that_is_none_is_refused(given, monkeypatch):
    monkeypatch.setenv("NETTUNER_IDLE_MINUTES", given)
    with pytest.raises(HomeError, match="a number of minutes above 0, got"):
        resident.idle_minutes()
    monkeypatch.setenv("NETTUNER_IDLE_MINUTES", "1.5")
    assert resident.idle_minutes() == 1.5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NETTUNER_SERVERS", "none"),
        ("PREFECT_API_URL", "http://127.0.0.1:1/api"),
        ("PREFECT_API_DATABASE_CONNECTION_URL", "sqlite+aiosqlite:////elsewhere.db"),
    ],
)
def test_nothing_is_started_where_servers_are_named_or_none_are_wanted(
    home, monkeypatch, name, value
):
    monkeypatch.setenv("NETTUNER_SERVERS", "stay")
    monkeypatch.setenv(name, value)
    resident.begin()
    assert list(home.iterdir()) == []


def test_another_word_for_servers_is_refused(home, monkeypatch):
    monkeypatch.setenv("NETTUNER_SERVERS", "some")
    with pytest.raises(HomeError, match="must be stay or none, got 'some'"):
        resident.begin()


def test_a_home_without_locks_is_one_line(home, monkeypatch):
    def no_locks(*_):
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr("fcntl.flock", no_locks)
    with pytest.raises(HomeError, match=r"with locks, got .*does not appear to support flock"):
        resident.end()


def test_a_full_home_is_one_line(home, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setenv("NETTUNER_SERVERS", "stay")
    for name in ("PREFECT_API_URL", "PREFECT_API_DATABASE_CONNECTION_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(HomeError, match="no space left on device"):
        resident.begin()


def test_to_begin_imports_nothing_that_is_slow():
    script = (
        "import sys; import nettuner.flows.servers.resident; "
        "print({'prefect', 'mlflow', 'torch', 'sqlalchemy', 'pydantic'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr


def test_up_gives_way_to_a_command_that_uses_the_servers(home, monkeypatch):
    noted.leave_note(home, note())
    other = SimpleNamespace(process=1, command="nettuner search bowl.yaml")
    monkeypatch.setattr(noted, "attached", lambda _: [other])
    with pytest.raises(ValueError, match=r"\(process 1: nettuner search bowl.yaml\)"):
        resident.end()
