"""A job for a program: what it answers, how long it takes, how much memory it needs.

A program reads a job as JSON from standard input and answers with JSON on standard output. All
processes that it starts are found by a mark in their environment, and none is left behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

MARK = "NETTUNER_BENCHMARK_MARK"
GLANCE_SECONDS = 1.0
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


def measured(command: list[str], job: Any, log: Path) -> dict[str, Any]:
    """The answer of a program to a job, with `seconds` and `peak_mib` beside.

    Both are of the whole program, its start included. Memory that processes share counts once; it
    is looked at once a second.

    Args:
        command: The program.
        job: What JSON can hold.
        log: Where what it prints is kept.

    Raises:
        RuntimeError: the program failed.
    """
    mark = uuid.uuid4().hex
    peak = 0
    over = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(GLANCE_SECONDS):
            peak = max(peak, sum(map(memory, marked(mark))))

    watcher = threading.Thread(target=watch)
    with log.open("a", encoding="utf-8") as errors:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, **ONE_THREAD, MARK: mark},
        )
        watcher.start()
        try:
            answer, _ = process.communicate(json.dumps(job))
            seconds = time.perf_counter() - began
        finally:
            over.set()
            watcher.join()
            end(mark)
    if process.returncode or not answer:
        raise RuntimeError(f"{command!r} ended with status {process.returncode}; see {log}")
    return {**json.loads(answer), "seconds": seconds, "peak_mib": peak / 2**20}


def marked(mark: str) -> Iterator[int]:
    """The processes with this mark."""
    wanted = f"{MARK}={mark}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                yield int(folder.name)


def memory(process: int) -> int:
    """Bytes in memory, a share of what others have too; 0 if it has ended."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="utf-8").splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("Pss:")).split()[1])
    return 0


def end(mark: str) -> None:
    """End what is left with this mark."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        left = list(marked(mark))
        for process in left:
            with contextlib.suppress(OSError):
                os.kill(process, number)
        deadline = time.monotonic() + 5
        while left and time.monotonic() < deadline and any(marked(mark)):
            time.sleep(0.1)


def answering(work: Callable[[Any], dict[str, Any]]) -> None:
    """Be such a program: whatever else is printed goes to standard error."""
    job = json.load(sys.stdin)
    answers: TextIO = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    answer = work(job)
    answers.write(json.dumps(answer))
    answers.close()
