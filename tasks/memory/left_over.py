"""Sends what processes that were killed had left in their journals."""

from __future__ import annotations

import logging

from nettuner.models.address import without_account
from nettuner.tasks.memory.journal import Journal, left_over


def send_left_over(store: str) -> None:
    """Send what is in journals whose processes have ended.

    A journal for another store is left where that store cannot be reached now.

    Args:
        store: Address of the store that is about to be read.

    Raises:
        Exception: The store cannot be written to.
    """
    here = without_account(store)
    for journal in left_over():
        there = journal.head["store"]
        _send(journal, store if there == here else there, insist=there == here)


def _send(journal: Journal, store: str, *, insist: bool) -> None:
    # MLflow takes seconds, and mostly nothing was left.
    from nettuner.tasks.memory.mlflow_private import is_refusal
    from nettuner.tasks.memory.recorder import sent
    from nettuner.tasks.memory.store import open_client
    from nettuner.tasks.memory.writer import writer_to

    try:
        writer = writer_to(open_client(store))
        while sent(journal, writer):
            pass
    except Exception as error:
        journal.close()
        if insist and not is_refusal(error):
            raise
        _leave(journal, error, refused=is_refusal(error))
    else:
        journal.remove()


def _leave(journal: Journal, error: Exception, *, refused: bool) -> None:
    """Say that a journal could not be sent; what a store refuses is not tried again."""
    path = journal.path
    if refused:
        path = path.rename(path.with_suffix(".refused"))
    store = journal.head["store"]
    logging.getLogger(__name__).warning("%s does not take what is in %s: %s", store, path, error)
