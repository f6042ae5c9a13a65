"""What a process writes is for its own account alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

OTHERS = stat.S_IRWXG | stat.S_IRWXO


@cache
def keep_private() -> int:
    """From now on this process, and what it starts, writes for its own account alone.

    Returns:
        The umask before: it holds for files that a person asks for by name.
    """
    return os.umask(OTHERS)


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """Another umask for a while."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@cache
def close_to_others(folder: Path) -> None:
    """Take a folder, and the files in it, from all other accounts; looks once in each process.

    If others could enter the folder, everything below it is closed; else only what lies in it.

    Raises:
        PermissionError: The folder belongs to somebody else.
    """
    was_open = _close(folder)
    for path in folder.rglob("*") if was_open else folder.iterdir():
        with suppress(OSError):  # mounted read-only, or gone meanwhile
            _close(path)


def _close(path: Path) -> bool:
    """Whether others had any right, which is taken from them; links are left alone."""
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode) or not mode & OTHERS:
        return False
    path.chmod(stat.S_IMODE(mode) & ~OTHERS)
    return True
