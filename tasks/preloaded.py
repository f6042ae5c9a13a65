"""Processes that stay for a home: they have imported what later commands need, to be forked.

One serves all commands of a home one after another, so that only the first of them waits for
imports. It must have imported just what a command would import itself.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock

from nettuner.tasks import process_note
from nettuner.tasks.stand_back import wanted
from nettuner.tasks.surroundings import confinement

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


@dataclass(frozen=True)
class Kind:
    """What such processes are for.

    Args:
        name: Name of their files in a home.
        module: Name of the module that is run.
        parts: Parts of nettuner that they have imported.
        read_on_import: Beginnings of the names of variables that are read meanwhile.
        waits: Whether who knocks while it imports waits for it, instead of being turned away.
    """

    name: str
    module: str
    parts: tuple[str, ...]
    read_on_import: tuple[str, ...] = READ_ON_IMPORT
    waits: bool = True


class Preloaded:
    """A process to fork from.

    Args:
        door: Path of the socket at which it listens.
    """

    def __init__(self, door: Path) -> None:
        self.door = door

    def knock(self) -> socket.socket:
        """A connection to a new process that was forked from it, which still may be starting.

        Raises:
            OSError: Nobody listens.
        """
        found = socket.socket(socket.AF_UNIX)
        try:
            found.connect(str(self.door))
        except OSError:
            found.close()
            raise
        return found


class Resident(Preloaded):
    """One that stays for later commands of a home.

    Args:
        door: Path of the socket at which it listens.
        process: Its process.
    """

    def __init__(self, door: Path, process: psutil.Process) -> None:
        super().__init__(door)
        self.process = process

    def knock(self) -> socket.socket:
        """See `Preloaded.knock`."""
        wanted(self.process.pid)
        return super().knock()

    def end(self) -> None:
        """End it; what was forked from it goes on."""
        with suppress(psutil.Error):  # it has ended
            self.process.kill()
            self.process.wait(5)
        self.door.unlink(missing_ok=True)


def running(kind: Kind, home: Path) -> Resident | None:
    """The resident of a home, whatever it has imported; None if there is none."""
    return _noted(kind, home)[0]


def resident(kind: Kind, home: Path) -> Resident | None:
    """The resident of a home, if it has imported just what this process would import."""
    found, known = _noted(kind, home)
    return found if known == facts(kind, os.environ) else None


def make_resident(
    kind: Kind,
    home: Path,
    idle: float,
    later: Sequence[str] = (),
    environment: Mapping[str, str] = os.environ,
) -> Resident | None:
    """The same, started if there is none.

    One that knows an older state of nettuner or of the installed packages is replaced, and one
    whose door was taken away.

    Args:
        kind: What it is for.
        home: Folder of the home.
        idle: Time without any use after which it ends [s].
        later: Names of modules that it imports when nobody waits for it.
        environment: Environment of the command.

    Returns:
        None where one is there whose libraries were set up by other environment variables.
    """
    with FileLock(home / f"{kind.name}.lock", timeout=PATIENCE_SECONDS):
        found, known = _noted(kind, home)
        wanted = facts(kind, environment)
        if found is not None and found.door.exists():
            if known == wanted:
                return found
            if known["installed"] == wanted["installed"]:
                return None
        if found is not None:
            found.end()
        found = _make(kind, home, idle, later, environment)
        note = {"process": found.process.pid, "created": found.process.create_time()}
        note |= {"door": str(found.door), "facts": wanted}
        process_note.write(note_of(kind, home), note)
        return found


def _make(
    kind: Kind, home: Path, idle: float, later: Sequence[str], environment: Mapping[str, str]
) -> Resident:
    path = _door(kind, home)
    path.unlink(missing_ok=True)
    door = bind(path)
    if kind.waits:
        door.listen(WAITING)
    log = os.open(home / f"{kind.name}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    started = start(kind, door, log, idle, later, environment)
    os.close(log)
    door.close()
    return Resident(path, psutil.Process(started.pid))


def bind(door: Path) -> socket.socket:
    """A socket at a path."""
    found = socket.socket(socket.AF_UNIX)
    found.bind(str(door))
    return found


def start(
    kind: Kind,
    door: socket.socket,
    log: int,
    idle: float = 0.0,
    later: Sequence[str] = (),
    environment: Mapping[str, str] = os.environ,
) -> subprocess.Popen[bytes]:
    """Start a process, whether it stays or not.

    Args:
        kind: What it is for.
        door: Socket at which it listens.
        log: File descriptor of what it prints.
        idle: Time without any use after which it ends [s]; 0 to end with its standard input.
        later: Names of modules that it imports when nobody waits for it.
        environment: Environment of the command.
    """
    return subprocess.Popen(
        [sys.executable, "-P", "-m", kind.module, str(door.fileno()), str(idle), *later],
        pass_fds=[door.fileno()],
        stdin=subprocess.DEVNULL if idle else subprocess.PIPE,
        stdout=log,
        stderr=log,
        env={
            **environment,
            **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
            # Else it starts threads when it is imported.
            "JE_ARROW_MALLOC_CONF": "background_thread:false",
        },
        start_new_session=True,  # Ctrl-C in a terminal is handled by the search
    )


def note_of(kind: Kind, home: Path) -> Path:
    """The note that tells of the resident of a home."""
    return home / f"{kind.name}.json"


def _door(kind: Kind, home: Path) -> Path:
    door = home / f"{kind.name}.door"
    if len(os.fsencode(door)) <= LONGEST_DOOR:
        return door
    return Path(tempfile.mkdtemp(prefix="nettuner-")) / "door"


def _noted(kind: Kind, home: Path) -> tuple[Resident | None, dict[str, Any]]:
    """The resident that the note in a home tells of, if it lives, and what it has imported."""
    told = process_note.read(note_of(kind, home))
    try:
        if process_note.lives(told["process"], told["created"]):
            return Resident(Path(told["door"]), psutil.Process(told["process"])), told["facts"]
    except (KeyError, TypeError, psutil.Error):  # there is no note, or it has just ended
        pass
    return None, {}


def facts(kind: Kind, environment: Mapping[str, str]) -> dict[str, Any]:
    """What decides which code a process has after the imports, and how libraries are set up."""
    code = Path(__file__).parents[1]
    files = [path for part in kind.parts for path in (code / part).rglob("*.py")]
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
            name: value
            for name, value in environment.items()
            if name.startswith(kind.read_on_import)
        },
        "confinement": confinement(),
    }
