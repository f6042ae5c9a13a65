"""The newest data from production, by the parameters of a flow."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from nettuner.models.address import WITHOUT_PASSWORD
from nettuner.models.brief import brief
from nettuner.models.data.source import Source
from nettuner.models.production.incoming import Incoming, NoDataError, read_incoming
from nettuner.tasks.home import home

DatabaseGiven = Annotated[str, Field(pattern=WITHOUT_PASSWORD)]
"""A database's address as a flow's parameter, which Prefect keeps: without a password."""


def incoming_rows(data: str, like: Source, database: str | None, newest: int) -> Incoming:
    """Read the data that are there now; paths are relative to the home, wherever the flow runs.

    Args:
        data: Path of a file, a pattern, or, with a database, an SQL query.
        like: Data source of the study: gives the format and the target column.
        database: SQLAlchemy URL of a database, its password a variable's name; None reads files.
        newest: Number of files to read, those written last.

    Raises:
        NoDataError: There are no files or no rows yet.
        ValueError: The data cannot be read.
    """
    where = data if database is not None else str(home() / data)
    try:
        return read_incoming(where, like, database, newest)
    except ValueError as error:  # Prefect keeps it, and MLflow shows it
        kind = NoDataError if isinstance(error, NoDataError) else ValueError
        raise kind(brief(str(error))) from None
