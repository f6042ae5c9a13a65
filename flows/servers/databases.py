"""Databases of the servers: SQLite files in the home, or PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy.engine import URL

from nettuner.models.address import database, without_account
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
        environment: Environment variables with the password, which no URL has.
    """

    prefect: str
    mlflow: str
    users: str
    prefect_schema: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


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
        address: URL `postgresql://user@host:port/database`; its password is a variable's name.

    Raises:
        ValueError: It is no such URL, the driver is not installed, or the server does not answer.
    """
    url = _parsed(address)
    _make_schemas(url)
    # Every account of the machine can read arguments; the drivers take the password from here.
    password = {} if url.password is None else {"PGPASSWORD": str(url.password)}
    shown = URL.create(
        url.drivername, url.username, None, url.host, url.port, url.database, url.query
    )
    return Databases(
        _text(shown.set(drivername="postgresql+asyncpg")),
        _text(_in_schema(shown, MLFLOW)),
        _text(_in_schema(shown, USERS)),
        PREFECT,
        password,
    )


def _parsed(address: str) -> URL:
    if not address.startswith(("postgresql:", "postgresql+", "postgres:")):
        raise ValueError(
            "--database takes postgresql://user:${NAME}@host:port/database, got "
            f"{without_account(address)!r}; leave it out for files in the home"
        )
    return database(address)


def _in_schema(url: URL, schema: str) -> URL:
    return url.set(drivername="postgresql+psycopg").update_query_dict(
        {"options": f"-csearch_path={schema}"}
    )


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
        shown = without_account(_text(url))
        raise ValueError(f"the database {shown} must answer, got: {reason}; start it") from None
