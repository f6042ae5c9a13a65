"""Sends what happens to a search's runs to the store, in order, without anybody waiting for it.

What is added is in a journal before anything else, so nothing is lost if the process is killed: the
next one that looks into the store sends the rest (`left_over.py`).
"""

from __future__ import annotations

import threading
import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from nettuner.models.address import without_account
from nettuner.tasks.memory.events import Event, kept_image
from nettuner.tasks.memory.journal import Journal
from nettuner.tasks.memory.mlflow_private import is_refusal
from nettuner.tasks.memory.writer import WorkerWriter, Writer, has_tables, writer_to
from nettuner.tasks.workers.pool import Pool

if TYPE_CHECKING:
    from mlflow import MlflowClient

# How long events are gathered before they are sent together.
GATHER_SECONDS = 1.0
MOST_AT_ONCE = 2000
# A store that is slower than the search slows it down from here on [bytes]: some thousand trials.
MOST_UNSENT = 32 * 2**20
# A store that answers nothing for so long ends the search, which can be resumed.
PATIENCE_SECONDS = 30.0
PAUSE_SECONDS = 1.0


class Recorder:
    """Sends the events of one search; a thread does it from the first event on.

    Args:
        mlflow: MLflow client.
        search: Run id of the search.
    """

    def __init__(self, mlflow: MlflowClient, search: str) -> None:
        self._store = without_account(mlflow.tracking_uri)
        self._search = search
        self._mlflow = mlflow
        self._journal: Journal | None = None
        self._failure: Exception | None = None
        self._closed = False
        self._changed = threading.Condition()
        self._waiting = 0
        self._at_once = threading.Event()

    @cached_property
    def writer(self) -> Writer:
        """Writer to the store; MLflow is imported, in seconds, when it is first used."""
        return writer_to(self._mlflow)

    def write_in(self, pool: Pool) -> None:
        """Have the tables of a database written by workers, as long as they run."""
        if has_tables(self._store):
            self.writer = WorkerWriter(pool, self._mlflow)

    def add(self, *events: Event) -> None:
        """Have events sent, after all that were added before.

        Waits only while very much is unsent.

        Raises:
            OSError: The journal cannot be written.
            Exception: The store takes nothing more; the events are in the journal all the same.
        """
        with self._changed:
            journal = self._journal or self._begin()
            journal.append(events)
            self._changed.notify_all()
            self._wait(MOST_UNSENT)
            if self._closed:
                self.close()

    def add_image(self, run_id: str, key: str, step: int, file: Path) -> None:
        """Have an image sent.

        Args:
            run_id: Id of the run.
            key: Name of the image.
            step: Training step.
            file: File with the image as an array; it is taken away.
        """
        with self._changed:
            journal = self._journal or self._begin()
            self.add(kept_image(run_id, key, step, journal.take(file)))

    def drain(self) -> None:
        """Wait until everything that was added so far is in the store.

        Raises:
            Exception: The store takes nothing more.
        """
        with self._changed:
            self._wait(0)

    def close(self) -> None:
        """Wait until everything is in the store, and delete the journal.

        Raises:
            Exception: The store takes nothing more; the journal stays.
        """
        with self._changed:
            self._closed = True
            try:
                self._wait(0)
                if self._journal is not None:
                    self._journal.remove()
            finally:
                if self._journal is not None:
                    self._journal.close()
                self._journal = None
                self._changed.notify_all()

    def _begin(self) -> Journal:
        self._check()
        self._journal = journal = Journal.create(self._search, self._store)
        threading.Thread(target=self._run, args=[journal], name="recorder", daemon=True).start()
        return journal

    def _wait(self, most: int) -> None:
        """Wait until no more than so many bytes are unsent."""
        self._waiting += 1
        try:
            while self._journal is not None and self._journal.left > most:
                self._check()
                self._at_once.set()
                self._changed.wait()
        finally:
            self._waiting -= 1
        if not self._waiting:
            self._at_once.clear()
        self._check()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _run(self, journal: Journal) -> None:
        """Send what is in the journal, until it is closed or the store takes nothing more."""
        while self._gather(journal):
            try:
                send_patiently(journal, self.writer)
            except Exception as error:
                with self._changed:
                    self._failure = error
                    self._changed.notify_all()
                return
            with self._changed:
                self._changed.notify_all()

    def _gather(self, journal: Journal) -> bool:
        """Wait until there is something to send; returns False once the journal is closed."""
        with self._changed:
            while self._journal is journal and not journal.left:
                self._changed.wait()
            if self._journal is not journal:
                return False
        self._at_once.wait(GATHER_SECONDS)
        return True


def send_patiently(journal: Journal, writer: Writer) -> None:
    """Send the next events, for some time even to a store that is away.

    Raises:
        Exception: The store takes nothing.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            sent(journal, writer)
            return
        except Exception as error:
            if is_refusal(error) or time.monotonic() > until:
                raise
            time.sleep(PAUSE_SECONDS)


def sent(journal: Journal, writer: Writer) -> int:
    """Send the next events; returns their number, 0 if there were none left."""
    events, position = journal.unsent(MOST_AT_ONCE)
    if events:
        writer.write(events)
        journal.sent(position)
    return len(events)
