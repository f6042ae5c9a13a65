"""A search in a terminal of 80 columns: what it shows, and how it leaves the terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

SHOW_CURSOR = "\x1b[?25h"
HIDE_CURSOR = "\x1b[?25l"
SLOW = """
import time

def f(h, report):
    for step in range(1, 7):
        time.sleep(0.25)
        report(step, loss=h["x"] / step)
        print("at", step)
"""
STUDY = """
name: {name}
learner: watched.py:f
metric: loss
direction: minimize
width: 2
space: {{x: {{distribution: uniform, low: 1, high: 2}}}}
stop: {{trials: {trials}}}
"""


class Terminal:
    """A command in a terminal of its own, of which it is told every character."""

    def __init__(self, words, folder):
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = termios.tcgetattr(theirs)
        self.text = ""

        def own_terminal():
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            [sys.executable, "-m", "nettuner.flows.cli", *words],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=folder,
            env={**os.environ, "TERM": "xterm-256color", "PYTHONUTF8": "1"},
            start_new_session=True,
            preexec_fn=own_terminal,
        )
        self._theirs = theirs

    def read(self, until, seconds=180):
        """Read until a text appears, or, if it is None, until the command has ended."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            ready, _, _ = select.select([self._ours], [], [], 0.1)
            if ready:
                self.text += os.read(self._ours, 65536).decode(errors="replace")
            elif self.process.poll() is not None:
                return self.text
            if until is not None and until in self.plain:
                return self.text
        raise AssertionError(f"{until!r} did not appear in: {self.plain[-2000:]}")

    @property
    def plain(self):
        """What it said, without what steers the terminal."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.text)

    def type(self, text):
        os.write(self._ours, text.encode())

    def attributes(self):
        return termios.tcgetattr(self._theirs)

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)


@pytest.fixture
def open_terminal(lab):
    opened = []

    def open_terminal(name, trials, *words):
        Path(lab.home, "watched.py").write_text(SLOW)
        Path(lab.home, f"{name}.yaml").write_text(STUDY.format(name=name, trials=trials))
        opened.append(Terminal(["search", f"{name}.yaml", *words], lab.home))
        return opened[-1]

    yield open_terminal
    for terminal in opened:
        terminal.close()


def test_a_search_is_a_table_while_it_runs_and_its_result_afterwards(open_terminal):
    terminal = open_terminal("watched", 8, "--output")
    text = terminal.read(None)
    assert terminal.process.wait() == 0
    plain = terminal.plain
    assert re.search(r"[━─]{24} \d of 8 trials, 0:\d\d", plain)
    assert re.search(r"trial +loss +curve +step", plain)
    assert re.search(r"\d +[\d.]+ +█[▁▂▃▄▅▆▇]+ +\d  training", plain)
    for number in range(8):
        for step in range(1, 7):
            assert f"trial {number}: at {step}" in plain
    assert re.search(r"best  loss 0\.\d+ by trial \d: x 1\.\d+", plain)
    frames = plain.split("watched  ")[1:]
    assert all(len(line) <= 80 for frame in frames[:-1] for line in frame.splitlines())
    assert "has printed something" not in plain
    assert text.rindex(SHOW_CURSOR) > text.rindex(HIDE_CURSOR)
    after = text[text.rindex(SHOW_CURSOR) :]
    assert "trained: 8 of 8 trials, 0:" in after
    assert "8 trials, 0 failed" in after
    assert "training" not in after


def test_ctrl_c_leaves_the_terminal_as_it_was(open_terminal):
    terminal = open_terminal("stopped", 400)
    terminal.read("best  loss")
    assert terminal.text.count(HIDE_CURSOR) == 1
    terminal.type("\x03")
    text = terminal.read(None, seconds=60)
    assert terminal.process.wait() == 130
    assert text.rindex(SHOW_CURSOR) > text.rindex(HIDE_CURSOR)
    assert terminal.plain.splitlines()[-2] == "stopping ..."
    assert terminal.plain.splitlines()[-1].startswith("interrupted; what was finished is kept.")
    assert terminal.attributes() == terminal.before
    assert terminal.plain.count("has printed something") == 1
    assert "at 1" not in terminal.plain


def test_without_a_terminal_it_says_that_it_starts_and_what_came_of_it(lab):
    Path(lab.home, "watched.py").write_text(SLOW)
    Path(lab.home, "piped.yaml").write_text(STUDY.format(name="piped", trials=2))
    search = lab.command("search", "piped.yaml")
    said, complaints = search.communicate(timeout=180)
    assert search.returncode == 0
    starts, printed = complaints.splitlines()
    assert starts == "piped.yaml: starting Prefect and MLflow …"
    assert re.fullmatch(r"trial [01] has printed something: see output/ of its run .*", printed)
    assert "2 trials, 0 failed" in said
    assert "\x1b" not in said + complaints
