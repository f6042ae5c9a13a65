"""Commands in forks of the warm process: they are what they would be in a process of their own."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from nettuner.flows.servers import warm
from nettuner.tasks import preloaded

pytestmark = pytest.mark.long

ENTRY = [sys.executable, "-P", "-m", "nettuner.flows.entry"]
STUDY = """
name: {name}
learner: functions.py:{name}
metric: loss
direction: minimize
space: {{x: {{distribution: uniform, low: 0, high: 1}}}}
strategy: random
width: 1
stop: {{trials: {trials}}}
"""
# One that is quick, one that says where it runs, and one that says when it has begun.
FUNCTIONS = """
import json, os, pathlib, time

HERE = pathlib.Path(__file__).parent

def bowl(h, report):
    return h["x"] ** 2

def where(h, report):
    (HERE / "told.json").write_text(json.dumps([os.getcwd(), os.environ["OF_THIS_ONE"]]))
    return h["x"]

def slow(h, report):
    (HERE / "begun").touch()
    time.sleep(2)
    return h["x"]
"""


class Place:
    """A home in which a warm process runs, and commands in it."""

    def __init__(self, folder):
        self.folder = folder
        self.home = folder / "home"
        kept = (n for n in os.environ if not n.startswith(("PREFECT_", "MLFLOW_", "NETTUNER_")))
        self.environment = {name: os.environ[name] for name in kept} | {
            "NETTUNER_HOME": str(self.home),
            "NETTUNER_IDLE_MINUTES": "30",
            "PREFECT_HOME": str(folder / "prefect"),
        }
        (folder / "functions.py").write_text(FUNCTIONS)
        for name, trials in (("bowl", 2), ("where", 1), ("slow", 4)):
            text = STUDY.format(name=name, trials=trials)
            (folder / f"{name}.yaml").write_text(text)

    def started(self, *words, **keywords):
        """A command that runs."""
        keywords = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **keywords}
        keywords = {"env": self.environment, "cwd": self.folder, "text": True, **keywords}
        return subprocess.Popen([*ENTRY, *map(str, words)], **keywords)

    def run(self, *words, **keywords):
        """Status, output and complaints of a command."""
        command = self.started(*words, **keywords)
        out, err = command.communicate(timeout=300)
        return command.returncode, out, err

    def alone(self, *words, **keywords):
        """The same of a command in its own process."""
        told = {**self.environment, "NETTUNER_SERVERS": "none"}
        return self.run(*words, env=told, **keywords)

    def warm(self):
        """The warm process."""
        found = preloaded.running(warm.KIND, self.home)
        return found and found.process

    def ready(self):
        """The warm process, once it answers."""

        def answers():
            found = preloaded.running(warm.KIND, self.home)
            try:
                found.knock().close()
            except (AttributeError, OSError):
                return None
            return found.process

        return until(answers)

    def forked(self):
        """The commands that run in forks of the warm process, or are left of some."""
        found = []
        for process in psutil.process_iter():
            try:
                ours = process.environ().get("NETTUNER_HOME") == str(self.home)
                if ours and any("warm_main" in word for word in process.cmdline()):
                    found.append(process.pid)
            except psutil.Error:
                continue
        return sorted({*found} - {self.warm().pid if self.warm() else 0})


def command_in(place):
    """The command itself, of the two processes that each has."""
    found = place.forked()
    (command,) = (pid for pid in found if psutil.Process(pid).ppid() in found)
    return psutil.Process(command)


def until(condition, seconds=120):
    """What the condition gives once that is something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError("not in time")


@pytest.fixture(scope="module")
def home_in_use(tmp_path_factory):
    place = Place(tmp_path_factory.mktemp("warm"))
    try:
        assert place.run("search", "bowl.yaml")[0] == 0  # it leaves one behind
        yield place
    finally:
        place.run("down")


@pytest.fixture
def place(home_in_use):
    """The home, with a warm process that answers."""
    if home_in_use.warm() is None:
        assert home_in_use.run("search", "bowl.yaml")[0] == 0
    home_in_use.ready()
    (home_in_use.folder / "begun").unlink(missing_ok=True)
    return home_in_use


def begun(place):
    until(lambda: (place.folder / "begun").exists())


def kept_busy(place):
    """A search whose first trial has begun, in a fork."""
    search = place.started("search", "slow.yaml")
    begun(place)
    assert len(place.forked()) == 2  # the command, and its keeper
    return search


def test_the_client_imports_nothing_slow():
    ask = "import sys, nettuner.flows.entry; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-P", "-c", ask], capture_output=True, text=True)
    assert not {"psutil", "typer", "subprocess", "prefect", "asyncio"} & set(done.stdout.split())


@pytest.mark.parametrize(
    "words",
    [
        ["check", "bowl.yaml"],
        ["check", "missing.yaml"],
        ["search", "missing.yaml"],
        ["serch"],
        ["check", "--help"],
        ["trials", "nobody"],
    ],
)
def test_it_says_and_returns_what_a_command_of_its_own_process_does(place, words):
    assert place.run(*words) == place.alone(*words)


def test_it_runs_where_and_as_it_was_called(place):
    told = {**place.environment, "OF_THIS_ONE": "ü\udcff"}
    assert place.run("search", "where.yaml", env=told)[0] == 0
    found = json.loads((place.folder / "told.json").read_text())
    assert found == [str(place.folder), "ü\udcff"]


def test_files_have_the_rights_that_its_umask_leaves(place):
    status, _, complaints = place.run("schema", "--output", "schema.json", umask=0o027)
    assert status == 0, complaints
    assert (place.folder / "schema.json").stat().st_mode & 0o777 == 0o640


def test_a_pipe_that_is_closed_ends_it_as_any_other(place):
    for run in (place.started, place.started):
        command = run("check", "bowl.yaml")
        command.stdout.close()
        assert command.wait(60) == 1
        command.stderr.close()


def test_without_standard_output_it_runs(place):
    shell = f"{' '.join(ENTRY)} check bowl.yaml >&- 2>&-"
    done = subprocess.run(shell, shell=True, env=place.environment, cwd=place.folder)
    assert done.returncode == 0


def test_at_a_terminal_it_is_at_a_terminal(place):
    control, terminal = pty.openpty()
    command = place.started("check", "--help", stdout=terminal)
    assert command.wait(60) == 0
    os.close(terminal)
    assert b"\x1b[" in os.read(control, 10_000)  # in colour
    os.close(control)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_search_cleanly_and_it_can_go_on(place, number):
    restore = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731
    search = place.started("search", "slow.yaml", preexec_fn=restore)
    begun(place)
    search.send_signal(number)
    _, complaints = search.communicate(timeout=60)
    assert search.returncode == 130
    assert "interrupted; what was finished is kept" in complaints
    status, out, complaints = place.run("search", "slow.yaml", "--resume")
    assert status == 0, complaints
    assert "4 trials are done" in out


def test_it_stops_and_goes_on_with_its_client(place):
    search = kept_busy(place)
    command = command_in(place)
    search.send_signal(signal.SIGTSTP)
    until(lambda: command.status() == psutil.STATUS_STOPPED)
    until(lambda: psutil.Process(search.pid).status() == psutil.STATUS_STOPPED)
    search.send_signal(signal.SIGCONT)
    out, complaints = search.communicate(timeout=120)
    assert search.returncode == 0, complaints
    assert "4 trials are done" in out


def test_a_client_that_is_killed_leaves_nothing(place):
    search = kept_busy(place)
    search.kill()
    search.communicate()
    until(lambda: not place.forked())
    assert place.run("search", "slow.yaml", "--resume")[0] == 0


def test_a_command_that_is_killed_ends_its_client_alike(place):
    search = kept_busy(place)
    command_in(place).kill()
    search.communicate(timeout=60)
    assert search.returncode == -signal.SIGKILL
    assert place.run("search", "slow.yaml", "--resume")[0] == 0


def test_a_command_that_is_killed_leaves_a_terminal_with_its_cursor(place):
    place.ready()
    ours, theirs = pty.openpty()
    keywords = {"env": {**place.environment, "TERM": "xterm"}, "stderr": theirs, "stdout": theirs}
    search = place.started("search", "slow.yaml", **keywords)
    said = b""

    def heard(text):
        nonlocal said
        while select.select([ours], [], [], 0)[0]:
            said += os.read(ours, 65536)
        return text in said

    until(lambda: heard(b"\x1b[?25l"))  # a table hides it
    assert not heard(b"\x1b[?25h")
    command_in(place).kill()
    assert search.wait(60) == -signal.SIGKILL
    assert heard(b"\x1b[?25h")
    os.close(ours)
    os.close(theirs)


def test_a_search_goes_on_when_the_warm_process_is_killed_and_the_next_starts_another(place):
    search = kept_busy(place)
    first = place.ready()
    first.kill()
    assert search.wait(120) == 0
    search.communicate()
    assert place.warm() is None
    assert place.run("search", "bowl.yaml")[0] == 0
    assert place.ready() != first


@pytest.mark.parametrize("what", [{"PYTHONPATH": "/elsewhere"}, {"NETTUNER_SERVERS": "none"}])
def test_what_would_import_otherwise_runs_in_its_own_process(place, what):
    before = place.environment.get("PYTHONPATH", "")
    changed = {n: f"{before}:{v}" if n == "PYTHONPATH" else v for n, v in what.items()}
    search = place.started("search", "slow.yaml", env={**place.environment, **changed})
    begun(place)
    assert not place.forked()
    search.send_signal(signal.SIGTERM)
    search.communicate(timeout=60)
    assert search.returncode == 130


def test_one_that_hangs_is_not_asked_twice_and_the_next_search_replaces_it(place):
    first = place.ready()
    os.kill(first.pid, signal.SIGSTOP)
    assert place.run("check", "missing.yaml")[0] == 2
    assert not (place.home / "warm.door").exists()
    assert place.run("search", "bowl.yaml")[0] == 0
    assert place.ready() != first
    assert not first.is_running()


def test_two_commands_at_once_are_two_processes(place):
    both = [place.started("check", "bowl.yaml") for _ in range(2)]
    told = [command.communicate(timeout=60) for command in both]
    assert [command.returncode for command in both] == [0, 0]
    assert told[0] == told[1]


def test_a_note_of_somebody_else_or_of_nobody_is_not_believed(tmp_path):
    alone = Place(tmp_path)
    alone.home.mkdir(mode=0o700)
    for note in ("{}", "nothing", json.dumps({"door": str(tmp_path / "nowhere")})):
        Path(alone.home, "warm.json").write_text(note)
        status, _, complaints = alone.run("check", "missing.yaml")
        assert (status, len(complaints.splitlines())) == (2, 1)


def test_down_ends_it_and_without_servers_none_is_started(place):
    assert f"commands of {place.home} are forked from" in place.run("status")[1]
    process = place.ready()
    status, out, _ = place.run("down")
    assert status == 0
    assert f"the process that commands of {place.home} are forked from has ended" in out
    assert not process.is_running()
    assert place.alone("search", "bowl.yaml")[0] == 0
    assert place.warm() is None
