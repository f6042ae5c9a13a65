"""Addresses without accounts, and passwords by the name of a variable."""

import re

import pytest

from nettuner.models.address import (
    WITHOUT_PASSWORD,
    database,
    parsed,
    without_account,
    without_accounts,
)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://me:secret@host:5000/x?y=1#/exp@1", "http://host:5000/x?y=1#/exp@1"),
        ("https://me@host", "https://host"),
        ("HTTPS://me:se@cret@host/", "HTTPS://host/"),
        ("http://host:5000/path@x", "http://host:5000/path@x"),
        ("postgresql://me:sec/ret@host/db", "postgresql://host/db"),
        ("postgresql://host/db?user=me&password=secret&x=1",
         "postgresql://host/db?user=me&password=...&x=1"),
        ("sqlite:////home/me@office/x.db", "sqlite:////home/me@office/x.db"),
        ("databricks", "databricks"),
    ],
)  # fmt: skip
def test_an_address_is_shown_without_its_account_and_leads_to_the_same_place(address, shown):
    assert without_account(address) == shown


def test_all_addresses_of_a_text_are_shown_so():
    text = "no study in 'http://me:secret@host' or postgresql://me:sec/ret@host/db; search it"
    shown = "no study in 'http://host' or postgresql://host/db; search it"
    assert without_accounts(text) == shown


@pytest.mark.parametrize(
    "address",
    [
        "sqlite:////home/me@office/x.db",
        "postgresql://me@host:5432/db",
        "postgresql://me:${SHOP}@host/db?sslmode=require",
        "postgresql://[::1]:5432/db",
    ],
)
def test_an_address_without_a_password_is_taken_by_the_schema_and_by_us(address):
    assert re.search(WITHOUT_PASSWORD, address)
    assert parsed(address)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://me:secret@host/db",
        "postgresql://me:sec/ret@host/db",
        "postgresql://:secret@host/db",
        "postgresql://me:${SHOP}secret@host/db",
    ],
)
def test_a_password_is_refused_by_the_schema_and_by_us_and_not_repeated(address):
    assert not re.search(WITHOUT_PASSWORD, address)
    with pytest.raises(ValueError, match="must not have a password") as refused:
        parsed(address)
    assert "ret" not in str(refused.value)


@pytest.mark.parametrize("options", ["?password=secret", "?odbc_connect=UID%3Dme%3BPWD%3Dsecret"])
def test_a_password_among_the_options_is_refused_and_not_repeated(options):
    with pytest.raises(ValueError, match="must not have a password") as refused:
        parsed(f"mssql+pyodbc://host/db{options}")
    assert "secret" not in str(refused.value)


def test_the_variable_holds_any_characters(monkeypatch):
    monkeypatch.setenv("SHOP", "p@ss/w:rd%")
    url = database("postgresql://me:${SHOP}@host/db")
    assert (url.password, url.host) == ("p@ss/w:rd%", "host")
    assert url.drivername == "postgresql+psycopg"
    assert database("postgresql+asyncpg://me@host/db").drivername == "postgresql+asyncpg"
