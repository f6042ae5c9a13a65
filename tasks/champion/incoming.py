"""The newest data from production, by the parameters of a flow."""

from __future__ import annotations

from nettuner.models.data.source import Source
from nettuner.models.production.incoming import Incoming, read_incoming
from nettuner.tasks.home import home


def incoming_rows(data: str, like: Source, database: str | None, newest: int) -> Incoming:
    """Read the data that are there now; paths are relative to the home, wherever the flow runs.

    Args:
        data: Path of a file, a pattern, or, with a database, an SQL query.
        like: Data source of the study: gives the format and the target column.
        database: SQLAlchemy URL of a database; None reads files.
        newest: Number of files to read, those written last.

    Raises:
        NoDataError: There are no files or no rows yet.
        ValueError: The data cannot be read.
    """
    where = data if database is not None else str(home() / data)
    return read_incoming(where, like, database, newest)
