"""Runs the trials of a search on another machine, one call at a time, in workers forked there.

An agent lives in a process of the cluster, has a folder of its own where the paths of the search
are mirrored, and ends by itself when the search is gone. None of its methods waits for a trial.
"""

from __future__ import annotations

import os
import pickle
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from nettuner.models.training.failure import Failure, failure
from nettuner.tasks.cluster.carrier import below, unpacked
from nettuner.tasks.cluster.kept_base import base_kept
from nettuner.tasks.cluster.release import release
from nettuner.tasks.cluster.runner import Setting
from nettuner.tasks.workers.accelerators import Accelerator, accelerators
from nettuner.tasks.workers.messages import Call
from nettuner.tasks.workers.places import Place
from nettuner.tasks.workers.pool import TrialFailedError, WorkerPool

PREFIX = "nettuner-agent-"
# An agent that nobody has asked anything for so long has lost its search [s].
LEASE_SECONDS = 60.0
# Files that grow while a trial runs, and those that are there at once, whole.
GROWING, WHOLE = (".jsonl", ".txt"), (".npy",)
# So many first bytes tell a log from one that was begun anew.
IDENTIFIED_BY = 64
# Most of a file that is told at once [bytes].
MOST_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Hello:
    """What an agent says of itself.

    Args:
        release: Its nettuner and its Python, as `release` says.
        host: Name of its machine.
        accelerator: Accelerator of its trials; None on a CPU.
        fault: Why it can run no trial; None if it can.
        is_spare: Whether other agents of its machine take all GPUs.
    """

    release: str
    host: str
    accelerator: Accelerator | None = None
    fault: str | None = None
    is_spare: bool = False


@dataclass(frozen=True)
class Part:
    """A part of a file.

    Args:
        path: Path where the search runs.
        offset: Position of its first byte.
        content: Bytes.
    """

    path: str
    offset: int
    content: bytes


@dataclass(frozen=True)
class Look:
    """What is new of a call.

    Args:
        begun: Whether a worker has begun it.
        parts: What was written since the last look.
        answer: Result, or `Failure`, pickled, once it has ended; then all that grows was told.
    """

    begun: bool
    parts: list[Part]
    answer: bytes | None


class Agent:
    """Runs calls in workers forked on this machine.

    Args:
        setting: How.
    """

    def __init__(self, setting: Setting) -> None:
        forget_dead()
        self._setting = setting
        self._root = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
        self._pool: WorkerPool | None = None
        self._running: _Running | None = None
        self._given: set[Path] = set()
        self._held = ExitStack()
        self._asked = time.monotonic()
        self._is_over = threading.Event()
        threading.Thread(target=self._end_alone, daemon=True).start()

    def hello(self) -> Hello:
        """What has to be known before it is used."""
        self._is_asked()
        here = release(), socket.gethostname()
        if not self._setting.gpus:
            return Hello(*here)
        found = accelerators()
        if not found:
            fault = f"has no GPU, got gpus: {self._setting.gpus:g}; drop it, or use other machines"
            return Hello(*here, fault=fault)
        first = self._setting.slot * self._setting.gpus
        if first + self._setting.gpus > len(found) and self._setting.slot:
            return Hello(*here, is_spare=True)
        return Hello(*here, self._accelerator())

    def stay(self) -> None:
        """It will be needed again: nobody may ask for long while others finish."""
        self._is_asked()

    def write(self, part: Part) -> None:
        """Write a part of a file; the folders it lies in are made."""
        self._is_asked()
        path = below(self._root, part.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("r+b" if part.offset else "wb") as file:
            file.seek(part.offset)
            file.write(part.content)
        self._given.add(path)

    def prepare(self, study: bytes) -> None:
        """Load a study's learner and data once, before workers are forked.

        Args:
            study: Study, packed.
        """
        self._is_asked()
        sys.path += [
            folder
            for folder in self._setting.path
            if folder not in sys.path and os.path.exists(folder)
        ]
        self._held.enter_context(base_kept())
        self._pool = WorkerPool(1, self._setting.threads, unpacked(study, self._root))
        self._held.callback(self._pool.stop)

    def begin(self, call: bytes, seconds: float | None, own_process: bool) -> None:
        """Begin a call.

        Args:
            call: Call, packed.
            seconds: Time limit [s]; None for no limit.
            own_process: Whether no other call may run in its process.
        """
        self._is_asked()
        assert self._pool is not None
        assert self._running is None
        self._running = _Running(self._pool, self._root, self._place())
        self._running.start(call, seconds, own_process)

    def look(self) -> Look:
        """What is new of the call."""
        self._is_asked()
        assert self._running is not None
        return self._running.look()

    def left(self) -> list[tuple[str, int]]:
        """The files that a call that has ended has left and that no look has told, with their
        sizes."""
        self._is_asked()
        assert self._running is not None
        return self._running.left(self._given)

    def read(self, path: str, offset: int) -> bytes:
        """A part of a file, from here on; at most `MOST_BYTES` of it."""
        self._is_asked()
        with below(self._root, path).open("rb") as file:
            file.seek(offset)
            return file.read(MOST_BYTES)

    def forget(self) -> None:
        """Delete the files of the call that has ended."""
        self._is_asked()
        assert self._running is not None
        self._running.forget()
        self._running = None

    def stop(self) -> None:
        """Kill all workers, and delete all files."""
        if not self._is_over.is_set():
            self._is_over.set()
            self._held.close()
            shutil.rmtree(self._root, ignore_errors=True)

    def _is_asked(self) -> None:
        if self._is_over.is_set():
            raise RuntimeError("the agent has ended, as nobody has asked for long")
        self._asked = time.monotonic()

    def _end_alone(self) -> None:
        while not self._is_over.wait(LEASE_SECONDS / 12):
            if time.monotonic() - self._asked > LEASE_SECONDS:
                self.stop()

    def _accelerator(self) -> Accelerator:
        """The accelerator of this agent, or the first of its own: agents of a machine fill them."""
        return accelerators()[int(self._setting.slot * self._setting.gpus)]

    def _place(self) -> Place:
        same_bits = self._setting.deterministic
        if self._setting.gpus:
            return Place(self._accelerator(), deterministic=same_bits)
        return Place(hides=True, deterministic=same_bits)


class _Running:
    """One call."""

    def __init__(self, pool: WorkerPool, root: Path, place: Place) -> None:
        self._pool = pool
        self._root = root
        self._place = place
        self._folder: Path | None = None
        self._told: dict[Path, tuple[bytes, int]] = {}
        self._begun = False
        self._answer: bytes | None = None

    def start(self, call: bytes, seconds: float | None, own_process: bool) -> None:
        asked: Call = unpacked(call, self._root)
        if asked.output is not None:
            self._folder = asked.output.parent
            self._folder.mkdir(parents=True, exist_ok=True)

        def run() -> None:
            self._answer = _pickled(lambda: self._run(asked, seconds, own_process))

        threading.Thread(target=run, daemon=True).start()

    def _run(self, asked: Call, seconds: float | None, own_process: bool) -> Any:
        return self._pool.run(
            asked.function,
            *asked.args,
            seconds=seconds,
            begin=self._is_begun,
            output=asked.output,
            own_process=own_process,
            place=self._place,
        )

    def _is_begun(self) -> None:
        self._begun = True

    def look(self) -> Look:
        answer = self._answer  # before the files, which then have all
        parts: list[Part] = []
        is_all = True
        for path in self._files((*GROWING, *WHOLE)):
            first, offset = self._told.get(path, (b"", 0))
            with path.open("rb") as file:
                begins = file.read(IDENTIFIED_BY)
                if not begins.startswith(first):  # begun anew: its first line has a timestamp
                    offset = 0
                file.seek(offset)
                content = file.read(MOST_BYTES)
                is_all = is_all and not file.read(1)
            if content:
                parts.append(Part(self._name(path), offset, content))
                self._told[path] = begins, offset + len(content)
        return Look(self._begun, parts, answer if is_all else None)

    def left(self, given: Collection[Path]) -> list[tuple[str, int]]:
        told = (*GROWING, *WHOLE)
        rest = [p for p in self._files() if p.suffix not in told and p not in given]
        return [(self._name(path), path.stat().st_size) for path in rest]

    def forget(self) -> None:
        for path in self._files():
            path.unlink(missing_ok=True)

    def _files(self, suffixes: tuple[str, ...] | None = None) -> list[Path]:
        if self._folder is None:
            return []
        found = sorted(path for path in self._folder.iterdir() if path.is_file())
        return [path for path in found if suffixes is None or path.suffix in suffixes]

    def _name(self, path: Path) -> str:
        """The path where the search runs."""
        return str(path).removeprefix(str(self._root))


def _pickled(run: Callable[[], Any]) -> bytes:
    """What a call comes to, pickled: its result, or the failure."""
    try:
        return pickle.dumps(run())
    except TrialFailedError as error:
        return pickle.dumps(Failure(str(error), error.details))
    except BaseException as error:
        return pickle.dumps(failure(error))


def forget_dead() -> None:
    """Delete the folders of agents of this machine whose processes were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        number = folder.name.removeprefix(PREFIX).partition("-")[0]
        if number.isdigit() and not psutil.pid_exists(int(number)):
            shutil.rmtree(folder, ignore_errors=True)
