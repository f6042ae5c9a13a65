"""A journal keeps what was appended, tells each event once, and is held by one process."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from nettuner.tasks.memory import journal
from nettuner.tasks.memory.journal import Journal

STORE = "sqlite:///mlflow.db"


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("NETTUNER_HOME", str(tmp_path / "home"))


@pytest.fixture
def kept():
    made = Journal.create("a1", STORE)
    yield made
    made.close()


def events(first, last):
    return [{"do": "log", "run": "é", "number": number} for number in range(first, last + 1)]


def abandoned(*numbers):
    """A journal whose process has ended."""
    made = Journal.create("a1", STORE)
    made.append(events(*numbers))
    made.close()
    return made.path


def test_events_are_told_in_order_a_few_at_a_time(kept):
    kept.append(events(1, 2))
    kept.append(events(3, 5))
    told, position = kept.unsent(4)
    assert told == events(1, 4)
    assert kept.unsent(4)[0] == events(1, 4)  # until they are noted as sent
    kept.sent(position)
    assert kept.unsent(4)[0] == events(5, 5)


def test_whose_process_has_ended_is_told_from_where_it_was_sent():
    kept = Journal.create("a1", STORE)
    kept.append(events(1, 5))
    kept.sent(kept.unsent(2)[1])
    kept.close()
    (left,) = journal.left_over()
    assert left.head == {"search": "a1", "store": STORE}
    assert left.unsent(9)[0] == events(3, 5)
    left.close()


def test_a_line_that_was_not_written_whole_is_no_event():
    path = abandoned(1, 2)
    with path.open("ab") as file:
        file.write(b'{"do": "log", "run')
    (left,) = journal.left_over()
    assert left.unsent(9)[0] == events(1, 2)
    left.close()


def test_where_there_is_no_room_nothing_is_written_in_part(kept, monkeypatch):
    kept.append(events(1, 1))
    write, written = os.pwrite, []

    def full(descriptor, data, offset):
        if written:
            raise OSError(errno.ENOSPC, "no space left on device")
        written.append(write(descriptor, data[:10], offset))
        return 10

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(OSError, match="no space"):
            kept.append(events(2, 2))
    assert written == [10]
    kept.append(events(3, 3))
    assert [event["number"] for event in kept.unsent(9)[0]] == [1, 3]


def test_what_a_living_process_holds_is_left_alone(kept):
    script = "from nettuner.tasks.memory.journal import left_over; print(len(list(left_over())))"
    command = [sys.executable, "-P", "-c", script]

    def seen():
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    assert seen() == "0"
    kept.close()
    assert seen() == "1"


def test_journals_are_told_in_the_order_in_which_they_were_begun():
    paths = [abandoned(number, number) for number in range(12)]
    left = list(journal.left_over())
    assert [one.path for one in left] == paths
    for one in left:
        one.remove()
    assert not list(journal.folder().iterdir())


def test_a_file_goes_with_its_journal(kept, tmp_path):
    for text in ("first", "second"):
        (tmp_path / "drawn.npy").write_text(text)
        assert kept.take(tmp_path / "drawn.npy").read_text() == text
    assert not (tmp_path / "drawn.npy").exists()
    assert len(list(kept.files.iterdir())) == 2
    kept.remove()
    assert not list(journal.folder().iterdir())


def test_nobody_else_can_read_it(kept):
    assert kept.path.stat().st_mode & 0o777 == 0o600
