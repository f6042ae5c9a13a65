"""Jobs spread over processes that answer lines; what is done is kept, so nothing runs twice."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

Run = dict[str, Any]
Key = tuple[str, str, str, int]


class Kept:
    """The runs of a file of JSON lines, by version of the optimiser, name, problem and seed."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self.runs: dict[Key, Run] = {}
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.exists():
            for line in file.read_text(encoding="utf-8").splitlines():
                run = json.loads(line)
                self.runs[run["version"], run["optimiser"], run["problem"], run["seed"]] = run

    def add(self, run: Run) -> None:
        """Keep a run."""
        with self._lock:
            self.runs[run["version"], run["optimiser"], run["problem"], run["seed"]] = run
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(run) + "\n")


class Answering:
    """A process that answers each line with a line."""

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, line: str) -> Run:
        """The answer to a line.

        Raises:
            RuntimeError: the process ended.
        """
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self._process.args!r} ended at the job {line!r}; see above")
        found: Run = json.loads(answer)
        return found

    def close(self) -> None:
        """Let it end."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


def run_all(
    jobs: Iterable[Key], commands: Mapping[str, list[str]], kept: Kept, workers: int
) -> None:
    """Run the jobs that are not kept yet, `workers` side by side.

    Args:
        jobs: Version, optimiser, problem and seed of each.
        commands: The process that answers for each version.
        kept: Where runs are kept.
        workers: How many at once.

    Raises:
        RuntimeError: a process ended early; what was done is kept.
    """
    waiting: queue.SimpleQueue[Key] = queue.SimpleQueue()
    todo = [job for job in jobs if job not in kept.runs]
    for job in todo:
        waiting.put(job)
    faults: list[BaseException] = []
    began, done = time.monotonic(), 0

    def work() -> None:
        nonlocal done
        processes: dict[tuple[str, ...], Answering] = {}
        try:
            while not faults:
                version, optimiser, problem, seed = waiting.get_nowait()
                command = tuple(commands[version])
                if command not in processes:
                    processes[command] = Answering(commands[version])
                answer = processes[command].ask(f"{optimiser} {problem} {seed}")
                kept.add({"version": version, **answer})
                done += 1
                if done % 25 == 0:
                    seconds = (time.monotonic() - began) / done * (len(todo) - done)
                    left = f"about {seconds / 60:.0f} min left"
                    print(f"  {done} of {len(todo)} runs, {left}", flush=True)
        except queue.Empty:
            pass
        except BaseException as fault:
            faults.append(fault)
        for process in processes.values():
            process.close()

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
