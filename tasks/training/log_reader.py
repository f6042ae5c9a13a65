"""Reads the metrics and pictures of a running trial."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from nettuner.models.training.job import Job
from nettuner.tasks.memory.trial_record import Picture


class LogReader:
    """Reads the metrics and pictures that a worker writes while a trial trains.

    If a stack fails, its trials start again one by one, with new logs; rounds that were read before
    are then skipped.
    """

    def __init__(self, job: Job) -> None:
        self._path = job.log
        self._offset = 0
        self._first = b""
        self._again = 0
        self.rounds = 0

    def fresh(self) -> list[dict[str, Any]]:
        """The complete lines written since the last call."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            first = file.readline()  # it has a timestamp, so it identifies the log
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
        self.rounds += sum(row["round"] for row in rows)
        return rows

    def pictures(self) -> Iterator[Picture]:
        """The pictures written since the last call: name, step, file."""
        for path in sorted(self._path.parent.glob(f"{self._path.stem}.*.npy")):
            name, step = path.stem.removeprefix(f"{self._path.stem}.").rsplit(".", 1)
            yield unquote(name), int(step), path

    def rest(self) -> list[dict[str, Any]]:
        """The last lines; deletes the file."""
        rows = self.fresh()
        self._path.unlink(missing_ok=True)
        return rows
