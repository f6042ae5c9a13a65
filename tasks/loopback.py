"""Calls within this machine go to it, whatever proxy the environment names for others."""

from __future__ import annotations

import os

LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Libraries differ in which of them counts.
VARIABLES = ("no_proxy", "NO_PROXY")


def without_proxy(*hosts: str) -> None:
    """Exempt loopback, and further hosts, from the proxies of this process and its children."""
    given = [part.strip() for name in VARIABLES for part in os.environ.get(name, "").split(",")]
    exempt = dict.fromkeys(filter(None, [*given, *LOOPBACK, *hosts]))
    for name in VARIABLES:  # a star, which exempts everything, has to stand alone
        os.environ[name] = "*" if "*" in exempt else ",".join(exempt)
