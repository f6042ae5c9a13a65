"""Has the report of a search written, however the search ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from nettuner.tasks.memory.search_record import SearchRecord
from nettuner.tasks.report.html.keep import keep_later


@contextmanager
def reported(record: SearchRecord) -> Iterator[None]:
    """Have the report written once the block has ended, and with it the search's record.

    Where that cannot be begun, `nettuner report` still writes one.
    """
    try:
        yield
    finally:
        with suppress(Exception):
            keep_later(record.run_id)
