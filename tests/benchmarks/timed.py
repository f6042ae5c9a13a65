"""A command from its start to its end: seconds on the clock, and seconds of processors."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Taken:
    """What a command took [s]; `cpu` is of all processes that it started and waited for."""

    wall: float
    cpu: float


def timed(
    command: Sequence[str | Path], folder: Path, environment: Mapping[str, str], log: Path
) -> Taken:
    """Run a command and time it.

    Args:
        command: The command.
        folder: Where it runs.
        environment: All of its environment.
        log: Where what it prints is appended.

    Raises:
        RuntimeError: The command failed.
    """
    with log.open("a", encoding="utf-8") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        words = " ".join(map(str, command))
        raise RuntimeError(f"{words} ended with status {process.returncode}; see {log}")
    return Taken(wall, usage.ru_utime + usage.ru_stime)
