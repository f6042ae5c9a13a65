"""The newest data of production, as a flow's parameters name them."""

from __future__ import annotations

from nettuner.models.data.source import Source
from nettuner.models.production.incoming import Incoming, read_incoming
from nettuner.tasks.home import home


def incoming_rows(data: str, like: Source, database: str | None, newest: int) -> Incoming:
    """Read what is there now; files are relative to the home, wherever the flow runs.

    Args:
        data: A file, a pattern of files, or, with a database, a query.
        like: The study's data, whose target and format it shares.
        database: SQLAlchemy's address of a database.
        newest: Number of files to read, those written last.

    Raises:
        NoDataError: there is nothing yet.
        ValueError: it cannot be read.
    """
    where = data if database is not None else str(home() / data)
    return read_incoming(where, like, database, newest)
