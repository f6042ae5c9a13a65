"""Homes that cannot work: one line that says so, whatever the command."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from nettuner.flows.servers.up import free_port

STUDY = """
name: bowl
learner: functions.py:bowl
metric: loss
direction: minimize
space: {x: {distribution: uniform, low: 0, high: 1}}
strategy: random
width: 1
stop: {trials: 2}
"""
COMMANDS = [
    "search bowl.yaml",
    "trials bowl",
    "compare bowl",
    "replay bowl",
    "ui --no-browser",
    "up",
    "serve",
    "retune bowl --data x.csv",
    "promote bowl",
    "rollback bowl",
    "history bowl",
]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "bowl.yaml").write_text(STUDY)
    (tmp_path / "functions.py").write_text("def bowl(h, report):\n    return h['x'] ** 2\n")
    return tmp_path


def run(words, folder, home, **keywords):
    """A command in a process of its own; gives status, output, and the lines of complaint."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PREFECT_", "MLFLOW_", "NETTUNER_"))
    }
    environment |= {"NETTUNER_HOME": str(home), "PREFECT_HOME": str(folder / "prefect")}
    environment |= {"NETTUNER_SERVERS": "none"}
    environment |= keywords.pop("environment", {})
    given = {"stdout": subprocess.PIPE, "cwd": folder, "env": environment, "timeout": 240}
    done = subprocess.run(
        [sys.executable, "-m", "nettuner.flows.cli", *words.split()],
        stderr=subprocess.PIPE,
        text=True,
        **(given | keywords),
    )
    lines = [line for line in done.stderr.splitlines() if "starting" not in line]
    return done.returncode, done.stdout, lines


@pytest.mark.parametrize("words", COMMANDS)
def test_a_home_that_cannot_be_a_folder_is_one_line(words, folder):
    status, said, lines = run(words, folder, "/dev/null/home")
    assert (status, said, len(lines)) == (2, "", 1)
    assert lines[0].startswith("error: NETTUNER_HOME must be a folder of your own that can be")
    assert lines[0].endswith("got /dev/null/home: not a directory; set it to another folder")


@pytest.mark.parametrize("words", [words for words in COMMANDS if words != "serve"])
def test_a_damaged_database_is_one_line(words, folder):
    home = folder / "home"
    home.mkdir()
    (home / "mlflow.db").write_bytes(b"rubbish" * 1000)
    (home / "prefect.db").write_bytes(b"rubbish" * 1000)
    ports = " --mlflow-port 15998 --prefect-port 15999" if words.startswith(("u", "ui")) else ""
    status, said, lines = run(words + ports, folder, home)
    assert (status, said, len(lines)) == (2, "", 1)
    assert "mlflow.db must be a whole SQLite database, got: file is not a database" in lines[0]


@pytest.mark.long
def test_a_damaged_database_of_prefect_is_one_line_too(folder):
    home = folder / "home"
    home.mkdir()
    (home / "prefect.db").write_bytes(b"rubbish" * 1000)
    status, said, lines = run("search bowl.yaml", folder, home)
    assert (status, said, len(lines)) == (2, "", 1)
    assert "prefect.db must be a whole SQLite database, got: file is not a database" in lines[0]


@pytest.mark.long
def test_a_database_that_cannot_grow_is_one_line_and_a_traceback_in_a_file(folder):
    """A megabyte, which the first look needs, is there; half of another is not."""
    home = folder / "home"

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))

    status, said, lines = run("search bowl.yaml", folder, home, preexec_fn=limited)
    assert (status, said, len(lines)) == (1, "", 1)
    assert lines[0].startswith("error: ")
    assert "Traceback" in (home / "errors.log").read_text() or "prefect.log" in lines[0]


@pytest.mark.parametrize("words", ["trials bowl", "history bowl"])
def test_a_server_that_does_not_answer_is_one_line(words, folder):
    address = f"http://127.0.0.1:{free_port()}"
    status, _, complaints = run(
        words, folder, folder / "home", environment={"MLFLOW_TRACKING_URI": address}
    )
    assert status == 1
    (line,) = complaints
    assert line.startswith(f"error: the records in {address} must be readable and writable, got: ")
    assert "Connection refused; repair them, or set NETTUNER_HOME or MLFLOW_TRACKING_URI" in line


def test_a_full_disk_behind_standard_output_is_one_line(folder):
    with Path("/dev/full").open("w") as full:
        status, _, lines = run("schema", folder, folder / "home", stdout=full)
    assert (status, len(lines)) == (1, 1)
    assert "got no space left on device; correct the path or make room" in lines[0]


def test_a_file_of_somebody_else_is_not_quoted_at_length(folder):
    study = STUDY.replace("functions.py:bowl", "mlp").replace("{x: {", "{hidden: {")
    study += "data: {source: csv, path: /proc/self/environ, target: y}\nepochs: 1\n"
    (folder / "bowl.yaml").write_text(study.replace("loss", "val_loss"))
    secret = {"A_TOKEN": "hunter2" * 100}
    status, _, lines = run("check bowl.yaml", folder, folder / "home", environment=secret)
    assert (status, len(lines)) == (2, 1)
    assert lines[0].startswith("error: bowl.yaml: data: ")  # what it lacks depends on what it holds
    assert len(lines[0]) < 400


@pytest.mark.long
def test_a_search_ends_well_whatever_proxy_is_named_and_leaves_files_of_its_account(folder):
    names = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy")
    proxies = dict.fromkeys(names, "http://127.0.0.1:9") | {"NO_PROXY": "intranet"}
    os.umask(os.umask(0o022))  # whatever this process has
    home = folder / "home"
    status, said, lines = run("search bowl.yaml", folder, home, environment=proxies)
    assert (status, lines) == (0, [])
    assert "2 trials, 0 failed" in said
    found = [home, *home.rglob("*")]
    assert [p for p in found if stat.S_IMODE(p.stat().st_mode) & 0o077] == []
    assert {path.name for path in found} >= {"mlflow.db", "prefect.db", "study.json"}
    status, said, lines = run("trials bowl --output mine.csv", folder, home)
    assert (status, lines) == (0, [])
    assert stat.S_IMODE((folder / "mine.csv").stat().st_mode) & 0o400
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((folder / "mine.csv").stat().st_mode) == 0o666 & ~umask
