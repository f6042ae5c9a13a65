"""The result of an SQL query, which can read and nothing else.

It is one statement that gives rows, in a transaction that may only read and is rolled back.
PostgreSQL enforces both; SQLite opens the file for reading and asks about every step besides.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from nettuner.models.address import database, without_accounts

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Connection, Engine

# What a statement that gives rows may begin with.
READING = ("SELECT", "WITH", "VALUES", "TABLE")
ALLOWED = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
}

# Asked for by SQLAlchemy when it connects, and by full-text tables.
ASKED = ("read_uncommitted", "data_version")


def run_query(query: str, address: str) -> pd.DataFrame:
    """Run a query.

    Args:
        query: Single statement that gives rows.
        address: SQLAlchemy URL of the database; its password is the name of a variable.

    Raises:
        ValueError: It does more than read, or does not run on the database; or there is none.
    """
    from sqlalchemy import text
    from sqlalchemy.exc import SQLAlchemyError

    _check_reads(query)
    url = database(address)
    try:
        with _connected(url) as connection:
            table = pd.read_sql_query(text(query), connection, dtype_backend="numpy_nullable")
    except (SQLAlchemyError, pd.errors.DatabaseError, sqlite3.Error) as error:
        reason = without_accounts(str(error.__cause__ or error).strip().splitlines()[0])
        raise ValueError(f"the query must run on the database, got {reason}; correct it") from None
    except ModuleNotFoundError as error:
        raise ValueError(
            f"the query needs the database's driver, got: {error}; install it (PostgreSQL's: "
            "pip install 'nettuner[postgresql]')"
        ) from None
    return table.rename(columns=str)


def _check_reads(query: str) -> None:
    """Refuse what could do more than read, by its words.

    Raises:
        ValueError: There are several statements, or it is none that gives rows.
    """
    import sqlparse
    from sqlparse.tokens import Comment, Keyword, Punctuation

    found = []
    for statement in sqlparse.parse(query):
        tokens = list(statement.flatten())  # type: ignore[no-untyped-call]
        tokens = [t for t in tokens if not t.is_whitespace and t.ttype not in Comment]
        tokens = [t for t in tokens if t.ttype is not Punctuation or t.value not in "(;"]
        if tokens:
            found.append(tokens)
    if len(found) != 1:
        raise ValueError(
            f"a query must be one statement, got {len(found)}; keep the one that reads"
        )
    first = found[0][0].value.upper()
    into = any(t.ttype in Keyword and t.normalized == "INTO" for t in found[0])
    if first not in READING or into:
        raise ValueError(
            f"a query must only read and begin with {', '.join(READING)}, got "
            f"{f'{first} ... INTO' if into else first}; write one that gives rows"
        )


@contextmanager
def _connected(url: URL) -> Iterator[Connection]:
    """A connection that can only read; whatever happened is rolled back."""
    engine = _engine(url)
    try:
        with engine.connect() as connection:
            if url.get_backend_name() == "postgresql":
                connection.exec_driver_sql("SET TRANSACTION READ ONLY")
            try:
                yield connection
            finally:
                connection.rollback()
    finally:
        engine.dispose()


def _engine(url: URL) -> Engine:
    from sqlalchemy import create_engine

    if url.get_backend_name() == "sqlite":
        return create_engine("sqlite://", creator=lambda: _opened(url.database or ""))
    # PostgreSQL prepares single statements only, whatever its texts hide from a parser.
    prepared = {"prepare_threshold": 0} if url.drivername == "postgresql+psycopg" else {}
    return create_engine(url, connect_args=prepared)


def _opened(file: str) -> sqlite3.Connection:
    """An SQLite file, opened for reading.

    Raises:
        ValueError: There is no such file.
    """
    place = Path(file.removeprefix("file:"))
    if not place.is_file():
        raise ValueError(f"the database must be a file, got none at {place}; correct the address")
    connection = sqlite3.connect(f"{place.absolute().as_uri()}?mode=ro", uri=True)
    connection.execute("PRAGMA query_only = ON")
    connection.set_authorizer(_allows)
    return connection


def _allows(action: int, name: str | None, *_: Any) -> int:
    """Whether SQLite may take a step."""
    reads = action in ALLOWED or (action == sqlite3.SQLITE_PRAGMA and name in ASKED)
    return sqlite3.SQLITE_OK if reads else sqlite3.SQLITE_DENY
