"""What trials print: shown as it comes where somebody asks for it; else its place is told once."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

# Most that is shown of what a trial has printed between two looks; the rest is kept all the same.
MOST_BYTES = 20_000
MOST_LINES = 50

_ESCAPE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|.)")
_wanted: ContextVar[bool] = ContextVar("output of trials is shown", default=False)


@contextmanager
def output_shown(wanted: bool) -> Iterator[None]:
    """Whether searches that begin in the block show what their trials print."""
    before = _wanted.set(wanted)
    try:
        yield
    finally:
        _wanted.reset(before)


@dataclass
class _Followed:
    """How far a file was read, and its last line, which may go on."""

    offset: int = 0
    rest: bytes = b""


class Printed:
    """Follows what the trials of a search print; threads of several trials call it."""

    def __init__(self) -> None:
        self._shown = _wanted.get()
        self._told = False
        self._files: dict[Path, _Followed] = {}
        self._lock = threading.Lock()

    def look(self, name: str, path: Path) -> None:
        """Show what a trial has printed since the last look.

        Args:
            name: What lines begin with.
            path: Path of the file that it prints to, which need not be there.
        """
        if self._shown:
            self._show(name, self._fresh(path))

    def end(self, name: str, path: Path) -> None:
        """Show the last of it, or tell where it is kept; before the file is taken away."""
        if self._shown:
            lines = self._fresh(path)
            rest = self._files.pop(path, _Followed()).rest
            self._show(name, [*lines, *([rest] if rest else [])])
        elif path.is_file() and path.stat().st_size:
            self._tell(name)

    def _fresh(self, path: Path) -> list[bytes]:
        """Complete lines that came since the last time."""
        try:
            size = path.stat().st_size
        except OSError:
            return []
        followed = self._files.setdefault(path, _Followed())
        if size <= followed.offset:
            return []
        skipped = size - followed.offset - MOST_BYTES
        with path.open("rb") as file:
            file.seek(max(followed.offset, size - MOST_BYTES))
            text = file.read(MOST_BYTES)
        followed.offset = size
        if skipped > 0:
            followed.rest = b"[%d bytes are left out here] " % skipped
        *lines, followed.rest = (followed.rest + text).split(b"\n")
        followed.rest = followed.rest[-MOST_BYTES:]
        return lines

    def _show(self, name: str, lines: list[bytes]) -> None:
        if not lines:
            return
        left_out = len(lines) - MOST_LINES
        if left_out > 0:
            lines = [b"[%d lines are left out here]" % left_out, *lines[-MOST_LINES:]]
        _say("".join(f"{name}: {_plain(line)}\n" for line in lines))

    def _tell(self, name: str) -> None:
        with self._lock:
            told, self._told = self._told, True
        if not told:
            _say(
                f"{name} has printed something: see output/ of its run (nettuner ui), or --output\n"
            )


def _plain(line: bytes) -> str:
    """A line as a terminal shows it in the end, without what a terminal obeys."""
    text = _ESCAPE.sub("", line.decode(errors="replace"))
    text = text.rstrip("\r").rpartition("\r")[2]  # of a bar that is drawn again and again the last
    return "".join(c for c in text if c.isprintable() or c == "\t")


def _say(text: str) -> None:
    """On standard error, above a table that is drawn there."""
    if sys.stderr is not None:
        sys.stderr.write(text)  # at once, so that threads do not mix their lines
        sys.stderr.flush()
