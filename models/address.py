"""Addresses with accounts: shown without them, and with a password that a variable holds.

A password in an address would be recorded wherever the address is: with the parameters of a flow
run, in an event, in a study, in a list of processes. So an address names the environment variable
that holds it: `postgresql://reader:${SHOP_PASSWORD}@host/shop`.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

_PARTS = re.compile(r"([a-z][a-z0-9+.-]*://)(.*)", re.IGNORECASE | re.DOTALL)
# Before the host: as RFC 3986 has it, and as SQLAlchemy, whose passwords may have slashes.
_ACCOUNT = re.compile(r"[^/?#]*@")
_ACCOUNT_OF_A_DATABASE = re.compile(r"[^:/@]*:[^@]*@")
_SECRET = re.compile(r"([?&;](?:\w*password|passwd|pwd|\w*token)=)[^&;]*", re.IGNORECASE)
_IN_TEXT = re.compile(r"[a-z][a-z0-9+.-]*://[^\s'\"]*", re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{(\w+)\}")

# A schema's rule for addresses of databases: no password but `${NAME}`. SQLite's have no host.
_HOST = r"(\[[0-9A-Fa-f:.]+\]|[^:@/?\[\]]*)(:[0-9]+)?"
WITHOUT_PASSWORD = (
    rf"^[A-Za-z][A-Za-z0-9+._-]*://([^:@/]*(:\$\{{[A-Za-z0-9_]+\}})?@)?{_HOST}([/?].*)?$"
)


def without_account(address: str) -> str:
    """The address without user and password: a link still leads there."""
    found = _PARTS.fullmatch(address)
    if found is None:
        return address
    scheme, rest = found.groups()
    if not scheme.lower().startswith("http"):
        rest = _after(_ACCOUNT_OF_A_DATABASE, rest)
    return scheme + _SECRET.sub(r"\1...", _after(_ACCOUNT, rest))


def _after(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.match(text)
    return text[found.end() :] if found else text


def without_accounts(text: str) -> str:
    """A text with all addresses in it shown so."""
    return _IN_TEXT.sub(lambda found: without_account(found[0]), text)


def database(address: str) -> URL:
    """A database's address as SQLAlchemy takes it, with the password that its variable holds.

    Plain `postgresql://` is psycopg 3 everywhere: the driver that it means to SQLAlchemy depends
    on the version.

    Raises:
        ValueError: It is no address, has a password, or the variable is not set.
    """
    url = parsed(address)
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    if url.password is None:
        return url
    name = _VARIABLE.fullmatch(str(url.password))
    assert name is not None
    held = os.environ.get(name[1])
    if held is None:
        raise ValueError(
            f"the password of {without_account(address)} must be in the environment variable "
            f"{name[1]}, got none; set it"
        )
    return url.set(password=held)


def parsed(address: str) -> URL:
    """A database's address as SQLAlchemy understands it, its password still a variable's name.

    Raises:
        ValueError: It is no address, or has a password.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        shown = without_account(address)
        raise ValueError(
            f"a database's address must be dialect://user@host:port/database, got {shown!r}; "
            "correct it"
        ) from None
    secret = url.password is not None and not _VARIABLE.fullmatch(str(url.password))
    if secret or _SECRET.search(unquote(address)):
        shown = without_account(address).partition("?")[0]
        raise ValueError(
            "a database's address must not have a password, which is recorded and listed with it, "
            f"got one for {shown}; write ${{NAME}} in its place and set the environment variable "
            "NAME"
        )
    return url
