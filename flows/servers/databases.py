"""Databases of the servers: SQLite files in the home, or PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from nettuner.tasks.home import home

PREFECT, MLFLOW, USERS = "prefect", "mlflow", "mlflow_users"


@dataclass(frozen=True)
class Databases:
    """Database URLs of both servers.

    Args:
        prefect: URL of Prefect's database.
        mlflow: URL of MLflow's database.
        users: URL of MLflow's user database, used with a password.
        prefect_schema: Schema of Prefect's tables; None where it has a database of its own.
    """

    prefect: str
    mlflow: str
    users: str
    prefect_schema: str | None = None


def embedded() -> Databases:
    """SQLite files in the home."""
    folder = home()
    return Databases(
        f"sqlite+aiosqlite:///{folder / 'prefect.db'}",
        f"sqlite:///{folder / 'mlflow.db'}",
        f"sqlite:///{folder / 'mlflow-users.db'}",
    )


def on_postgresql(address: str) -> Databases:
    """One schema for each server in a PostgreSQL database, created if missing.

    Both servers have a table of the same name, so they cannot share a schema.

    Args:
        address: URL `postgresql://user:password@host:port/database`.

    Raises:
        ValueError: It is no such URL, the driver is not installed, or the server does not answer.
    """
    url = _parsed(address)
    _make_schemas(url)
    return Databases(
        _text(url.set(drivername="postgresql+asyncpg")),
        _text(_in_schema(url, MLFLOW)),
        _text(_in_schema(url, USERS)),
        PREFECT,
    )


def _parsed(address: str) -> URL:
    try:
        url = make_url(address)
    except ArgumentError:
        url = None
    if url is None or url.get_backend_name() not in ("postgresql", "postgres"):
        raise ValueError(
            f"--database takes postgresql://user:password@host:port/database, got {address!r}; "
            "leave it out for files in the home"
        )
    return url


def _in_schema(url: URL, schema: str) -> URL:
    # The driver is explicit: the default for plain postgresql depends on SQLAlchemy's version.
    named = url.set(drivername="postgresql+psycopg")
    return named.update_query_dict({"options": f"-csearch_path={schema}"})


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def _make_schemas(url: URL) -> None:
    try:
        import psycopg
        from psycopg import sql
    except ImportError:
        raise ValueError(
            "--database needs the driver psycopg, which is not installed; "
            "pip install 'nettuner[postgresql]'"
        ) from None
    try:
        with psycopg.connect(_text(url.set(drivername="postgresql"))) as connection:
            for schema in (PREFECT, MLFLOW, USERS):
                name = sql.Identifier(schema)
                connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(name))
    except psycopg.Error as error:
        reason = str(error).strip().splitlines()[0]
        shown = url.render_as_string(hide_password=True)
        raise ValueError(f"the database {shown} must answer, got: {reason}; start it") from None
