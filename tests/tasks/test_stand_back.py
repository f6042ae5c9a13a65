"""Who stands back takes no time from others; who is waited for does so no longer."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from nettuner.tasks import stand_back

WEIGHED = Path("/proc/self/autogroup")
weighed = pytest.mark.skipif(
    not WEIGHED.exists(), reason="this kernel does not weigh sessions against each other"
)


def told(code):
    """What a process of its own session prints."""
    begin = "from pathlib import Path\nfrom nettuner.tasks.stand_back import *\n"
    show = "\nprint(Path('/proc/self/autogroup').read_text().split()[-1], os.nice(0))"
    return subprocess.run(
        [sys.executable, "-c", begin + "import os\n" + code + show],
        capture_output=True,
        text=True,
        check=True,
        start_new_session=True,
    ).stdout.split()


@weighed
def test_a_process_that_nobody_waits_for_is_worth_little_among_sessions_and_in_its_own():
    assert told("stand_back()") == ["10", "10"]


@weighed
def test_inside_a_block_alone():
    assert told("with standing_back():\n    pass") == ["0", "0"]
    inside = "with standing_back():\n    raise SystemExit(Path('/proc/self/autogroup').read_text())"
    found = subprocess.run(
        [
            sys.executable,
            "-c",
            f"from pathlib import Path\nfrom nettuner.tasks.stand_back import *\n{inside}",
        ],
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
    )
    assert found.stderr.split()[-1] == "10"


@weighed
def test_it_is_called_back_by_who_waits_for_it():
    code = "from nettuner.tasks.stand_back import *\nstand_back()\nprint(flush=True)\ninput()"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    path = Path(f"/proc/{process.pid}/autogroup")
    assert path.read_text().split()[-1] == "10"
    stand_back.wanted(process.pid)
    assert path.read_text().split()[-1] == "0"
    process.communicate(b"\n", timeout=10)


@weighed
def test_two_changes_at_once_both_count():
    code = "weigh('self', 5)\nweigh('self', 7)"
    began = time.monotonic()
    assert told(code)[0] == "7"
    assert time.monotonic() - began < 10


def test_where_sessions_are_not_weighed_nothing_happens(monkeypatch):
    before = WEIGHED.exists() and WEIGHED.read_text()
    monkeypatch.setattr(stand_back, "WEIGHT", "no-such-file")
    stand_back.weigh("self", 10)
    assert before == (WEIGHED.exists() and WEIGHED.read_text())
