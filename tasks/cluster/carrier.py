"""Calls as bytes for another machine, where all their paths lie below a folder of its own."""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

PATH, TEXT = "p", "t"


def packed(call: Any, roots: Sequence[str]) -> tuple[bytes, list[str]]:
    """A call as bytes, and the paths in it that lie at or below these roots.

    Args:
        call: Call.
        roots: Absolute paths, of files or folders.
    """
    buffer = io.BytesIO()
    pickler = _Pickler(buffer, roots)
    pickler.dump(call)
    return buffer.getvalue(), sorted(pickler.met)


def unpacked(content: bytes, root: Path) -> Any:
    """The call, with these paths below the root."""
    return _Unpickler(io.BytesIO(content), root).load()


def below(root: Path, path: str) -> Path:
    """Where a path of another machine lies below a root: the whole tree is mirrored."""
    return Path(f"{root}{path}")


class _Pickler(pickle.Pickler):
    def __init__(self, buffer: io.BytesIO, roots: Sequence[str]) -> None:
        super().__init__(buffer)
        self._roots = tuple(roots)
        # A reference to code goes on after its file: `own.py:Net`.
        self._begins = tuple(f"{root}{mark}" for root in roots for mark in "/:")
        self.met: set[str] = set()

    def persistent_id(self, obj: Any) -> Any:
        if not isinstance(obj, (str, PurePath)):
            return None
        text = str(obj)
        if text not in self._roots and not text.startswith(self._begins):
            return None
        self.met.add(text)
        # One text: the parts of anything else would be asked about in turn, without end.
        return (PATH if isinstance(obj, PurePath) else TEXT) + text


class _Unpickler(pickle.Unpickler):
    def __init__(self, buffer: io.BytesIO, root: Path) -> None:
        super().__init__(buffer)
        self._root = root

    def persistent_load(self, pid: Any) -> Any:
        there = below(self._root, pid[1:])
        return there if pid[0] == PATH else str(there)
