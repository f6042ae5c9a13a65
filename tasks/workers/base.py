"""Finds or starts the process that all others are forked from.

A resident serves all commands of a home one after another, so that only the first of them waits
for imports. It must have imported just what this command would import.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock

from nettuner.tasks import process_note

# The module that is run.
MODULE = "nettuner.tasks.workers.base_main"
# Longest path of a socket that every system takes.
LONGEST_DOOR = 100
WAITING = 16
# How long another command may take to look or to start [s].
PATIENCE_SECONDS = 20.0
# Variables that libraries read while they are imported.
READ_ON_IMPORT = (
    "CUDA_",
    "GOMP_",
    "HIP_",
    "KMP_",
    "LD_",
    "MALLOC_",
    "MKL_",
    "NUMEXPR_",
    "NVIDIA_",
    "OMP_",
    "OPENBLAS_",
    "PYTHON",
    "PYTORCH_",
    "TORCH",
)


class Base:
    """A process to fork from.

    Args:
        door: Path of the socket at which it listens.
    """

    def __init__(self, door: Path) -> None:
        self._door = door

    def knock(self) -> socket.socket:
        """A connection to a new process of one search, which still may be starting.

        Raises:
            OSError: Nobody listens.
        """
        found = socket.socket(socket.AF_UNIX)
        try:
            found.connect(str(self._door))
        except OSError:
            found.close()
            raise
        return found


class PrivateBase(Base):
    """One of this process's own, which ends with it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="nettuner-")
        super().__init__(Path(self._folder.name) / "door")
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        listening = _listen(self._door)
        self._process = _start(listening, 0.0, (), self._log.fileno(), subprocess.PIPE)
        listening.close()

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


def _listen(door: Path) -> socket.socket:
    found = socket.socket(socket.AF_UNIX)
    found.bind(str(door))
    found.listen(WAITING)
    return found


def _start(
    door: socket.socket, idle: float, later: Sequence[str], log: int, stdin: int
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", MODULE, str(door.fileno()), str(idle), *later],
        pass_fds=[door.fileno()],
        stdin=stdin,
        stdout=log,
        stderr=log,
        env={
            **os.environ,
            **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
            # Else it starts threads when it is imported.
            "JE_ARROW_MALLOC_CONF": "background_thread:false",
        },
        start_new_session=True,  # Ctrl-C in a terminal is handled by the search
    )


class Resident(Base):
    """One that stays for later commands of a home.

    Args:
        door: Path of the socket at which it listens.
        process: Its process.
    """

    def __init__(self, door: Path, process: psutil.Process) -> None:
        super().__init__(door)
        self.process = process

    def end(self) -> None:
        """End it; searches that run are processes of their own, and go on."""
        with suppress(psutil.Error):  # it has ended
            self.process.kill()
            self.process.wait(5)
        self._door.unlink(missing_ok=True)


def running(home: Path) -> Resident | None:
    """The resident of a home, whatever it has imported; None if there is none."""
    return _noted(home)[0]


def resident(home: Path) -> Resident | None:
    """The resident of a home, if it has imported just what this process would import."""
    found, facts = _noted(home)
    return found if facts == _facts() else None


def make_resident(home: Path, idle: float, later: Sequence[str] = ()) -> Resident | None:
    """The same, started if there is none.

    One that knows an older state of nettuner or of the installed packages is replaced.

    Args:
        home: Folder of the home.
        idle: Time without any search after which it ends [s].
        later: Names of modules that it imports when nobody waits for it.

    Returns:
        None where one is there whose libraries were set up by other environment variables.
    """
    with FileLock(home / "base.lock", timeout=PATIENCE_SECONDS):
        found, known = _noted(home)
        facts = _facts()
        if found is not None and known == facts:
            return found
        if found is not None:
            if known["installed"] == facts["installed"]:
                return None
            found.end()
        return _make(home, idle, later, facts)


def _make(home: Path, idle: float, later: Sequence[str], facts: dict[str, Any]) -> Resident:
    door = _door(home)
    door.unlink(missing_ok=True)
    listening = _listen(door)
    log = os.open(home / "base.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    started = _start(listening, idle, later, log, subprocess.DEVNULL)
    os.close(log)
    listening.close()
    process = psutil.Process(started.pid)
    told = {"process": started.pid, "created": process.create_time(), "door": str(door)}
    process_note.write(home / "base.json", {**told, "facts": facts})
    return Resident(door, process)


def _door(home: Path) -> Path:
    door = home / "base.door"
    if len(os.fsencode(door)) <= LONGEST_DOOR:
        return door
    return Path(tempfile.mkdtemp(prefix="nettuner-")) / "door"


def _noted(home: Path) -> tuple[Resident | None, dict[str, Any]]:
    """The resident that the note in a home tells of, if it lives, and what it has imported."""
    told = process_note.read(home / "base.json")
    try:
        if process_note.lives(told["process"], told["created"]):
            return Resident(Path(told["door"]), psutil.Process(told["process"])), told["facts"]
    except (KeyError, TypeError, psutil.Error):  # there is no note, or it has just ended
        pass
    return None, {}


def _facts() -> dict[str, Any]:
    """What decides which code a process has after the imports, and how libraries are set up."""
    code = Path(__file__).parents[2]
    files = [path for part in ("models", "tasks") for path in (code / part).rglob("*.py")]
    return {
        "installed": [
            sys.executable,
            sys.version,
            str(code),
            len(files),
            max(path.stat().st_mtime_ns for path in files),
            os.stat(sysconfig.get_path("purelib")).st_mtime_ns,
        ],
        "environment": {
            name: value for name, value in os.environ.items() if name.startswith(READ_ON_IMPORT)
        },
        "group": _control_group(),
    }


def _control_group() -> str:
    """The limits of memory and cores that this process is under, on Linux."""
    try:
        return Path("/proc/self/cgroup").read_text(encoding="utf-8")
    except OSError:
        return ""


_standing: list[Base] = []


@contextmanager
def stand_by(base: Base) -> Iterator[None]:
    """Fork the workers of all searches meanwhile from this process."""
    _standing.append(base)
    try:
        yield
    finally:
        _standing.remove(base)


def standing() -> Base | None:
    """The process that was said to be forked from; None if a search has to start its own."""
    return _standing[-1] if _standing else None
