"""A file of the home with what is to be recorded, in order, until the store has it.

What was appended outlives its process, however that ends; a machine that loses its power may lose
the last moments. The first line says up to where the store has it, the second one whose it is; then
comes an event a line. The process that writes it holds a lock, which ends with the process.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from nettuner.tasks.home import home
from nettuner.tasks.memory.events import Event

ENDING = ".jsonl"
# Digits of the position in the first line, so that it can be overwritten in place.
DIGITS = 20


def folder() -> Path:
    """Folder of all journals of this home."""
    found = home() / "journal"
    found.mkdir(exist_ok=True)
    return found


class Journal:
    """A journal that this process holds.

    Args:
        path: Path of the file.
        descriptor: Open file that is locked.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        # Whoever notes what was sent is another thread than the one that closes it.
        self._noting = threading.Lock()
        # A file of its own for reading, so that nobody moves the place of another.
        self._reading = path.open("rb")
        self._position = int(self._reading.readline())
        self.head: dict[str, Any] = json.loads(self._reading.readline())

    @classmethod
    def create(cls, search: str, store: str) -> Journal:
        """Begin a journal.

        Args:
            search: Run id of the search.
            store: Address of the store, without an account.
        """
        path = folder() / f"{search}-{time.time_ns()}{ENDING}"
        # Under this name nobody looks for it before it is locked.
        unseen = path.with_suffix(".new")
        descriptor = os.open(unseen, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        head = {"search": search, "store": store}
        first = f"{0:0{DIGITS}}\n{json.dumps(head)}\n".encode()
        os.write(descriptor, first.replace(b"0" * DIGITS, f"{len(first):0{DIGITS}}".encode(), 1))
        unseen.rename(path)
        return cls(path, descriptor)

    @classmethod
    def adopt(cls, path: Path) -> Journal | None:
        """Hold a journal whose process has ended; None while that lives, or once it is gone."""
        try:
            descriptor = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return None
        if os.fstat(descriptor).st_nlink:  # else its process removed it meanwhile
            with suppress(ValueError):  # a machine lost its power before anything was kept
                return cls(path, descriptor)
        os.close(descriptor)
        return None

    @property
    def files(self) -> Path:
        """Folder of the files that its events name."""
        return self.path.with_suffix("")

    def take(self, file: Path) -> Path:
        """Move a file to those of the journal; returns where it is then."""
        self.files.mkdir(exist_ok=True)
        taken = self.files / f"{time.time_ns()}-{file.name}"
        shutil.move(file, taken)
        return taken

    def append(self, events: Sequence[Event]) -> None:
        """Write events behind all others.

        Raises:
            OSError: There is no room; none of them was written.
        """
        lines = "".join(f"{json.dumps(event, separators=(',', ':'))}\n" for event in events)
        left = lines.encode()
        whole = end = self._size()
        try:
            while left:
                written = os.pwrite(self._descriptor, left, end)
                left, end = left[written:], end + written
        except OSError:
            os.ftruncate(self._descriptor, whole)
            raise

    def _size(self) -> int:
        return os.fstat(self._descriptor).st_size

    @property
    def left(self) -> int:
        """How much the store does not have [bytes]."""
        return self._size() - self._position

    def unsent(self, most: int) -> tuple[list[Event], int]:
        """The next events that the store does not have, and the position behind them.

        What a process that was killed had begun to write is none.

        Args:
            most: Most events wanted.
        """
        self._reading.seek(self._position)
        events: list[Event] = []
        position = self._position
        while len(events) < most and (line := self._reading.readline()).endswith(b"\n"):
            position += len(line)
            with suppress(ValueError):  # a machine lost its power
                events.append(json.loads(line))
        return events, position

    def sent(self, position: int) -> None:
        """Note that the store has everything before a position."""
        with self._noting:
            if not self._reading.closed:
                os.pwrite(self._descriptor, f"{position:0{DIGITS}}".encode(), 0)
                self._position = position

    def close(self) -> None:
        """Hold it no longer; it stays for others to send."""
        with self._noting:
            if not self._reading.closed:
                self._reading.close()
                os.close(self._descriptor)

    def remove(self) -> None:
        """Delete it, as the store has everything."""
        self.path.unlink(missing_ok=True)
        shutil.rmtree(self.files, ignore_errors=True)
        self.close()


def left_over() -> Iterator[Journal]:
    """The journals whose processes have ended, the oldest first; whoever takes one closes it."""
    for path in sorted(folder().glob(f"*{ENDING}"), key=_begun):
        journal = Journal.adopt(path)
        if journal is not None:
            yield journal


def _begun(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])
