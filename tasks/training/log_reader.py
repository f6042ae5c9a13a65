"""What a worker leaves of a trial while it trains, read as it grows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from nettuner.models.training.trial import Job
from nettuner.tasks.memory.trial_record import Picture


class LogReader:
    """Reads what a worker leaves of a trial as it grows: metrics, and pictures.

    A trial that could not be trained in a stack begins anew alone, and its log with it; what was
    told before is not told again.
    """

    def __init__(self, job: Job) -> None:
        self._path = job.log
        self._offset = 0
        self._first = b""
        self._again = 0
        self.rounds = 0

    def fresh(self) -> list[dict[str, Any]]:
        """The whole lines written since the last call."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            first = file.readline()  # it has the time of day: no two logs begin alike
            if self._offset and first != self._first:
                self._offset, self._again = 0, self.rounds
            file.seek(self._offset)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        if whole and not self._offset:
            self._first = first
        self._offset += len(whole)
        lines = whole.splitlines()
        told = min(self._again, len(lines))
        self._again -= told
        rows = [json.loads(line) for line in lines[told:]]
        self.rounds += len(rows)
        return rows

    def pictures(self) -> Iterator[Picture]:
        """The pictures that were drawn since the last call, and the step of each."""
        for path in sorted(self._path.parent.glob(f"{self._path.stem}.*.npy")):
            name, step = path.stem.removeprefix(f"{self._path.stem}.").rsplit(".", 1)
            yield name, int(step), np.load(path, allow_pickle=False)
            path.unlink()

    def rest(self) -> list[dict[str, Any]]:
        """The last lines; deletes the file."""
        rows = self.fresh()
        self._path.unlink(missing_ok=True)
        return rows
