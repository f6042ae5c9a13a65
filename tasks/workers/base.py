"""Finds or starts the process that workers are forked from."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from nettuner.tasks import preloaded
from nettuner.tasks.preloaded import Kind, Preloaded, Resident

# What searches fork their workers from.
KIND = Kind("base", "nettuner.tasks.workers.base_main", ("models", "tasks"))


class PrivateBase(Preloaded):
    """One of this process's own, which ends with it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="nettuner-")
        super().__init__(Path(self._folder.name) / "door")
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        door = preloaded.bind(self.door)
        door.listen(preloaded.WAITING)
        self._process = preloaded.start(KIND, door, self._log.fileno())
        door.close()

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.kill()
        self._process.wait()
        self._log.close()
        self._folder.cleanup()

    def told(self) -> str:
        """What it printed."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace").strip()


def running(home: Path) -> Resident | None:
    """The resident of a home, whatever it has imported; None if there is none."""
    return preloaded.running(KIND, home)


def resident(home: Path) -> Resident | None:
    """The resident of a home, if it has imported just what this process would import."""
    return preloaded.resident(KIND, home)


def make_resident(home: Path, idle: float, later: Sequence[str] = ()) -> Resident | None:
    """The same, started if there is none; see `preloaded.make_resident`."""
    return preloaded.make_resident(KIND, home, idle, later)


_standing: list[Preloaded] = []


@contextmanager
def stand_by(base: Preloaded) -> Iterator[None]:
    """Fork the workers of all searches meanwhile from this process."""
    _standing.append(base)
    try:
        yield
    finally:
        _standing.remove(base)


def standing() -> Preloaded | None:
    """The process that was said to be forked from; None if a search has to start its own."""
    return _standing[-1] if _standing else None
