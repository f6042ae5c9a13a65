"""The names of the strategies, without importing any: the command line tells them at once."""

from __future__ import annotations

import pkgutil
from pathlib import Path


def names() -> list[str]:
    """Names of the strategies: the files of `strategies/`."""
    folder = Path(__file__).with_name("strategies")
    return sorted(module.name for module in pkgutil.iter_modules([str(folder)]))


def short(name: str) -> str:
    """A strategy's name as people say it: `random` for `random_search`."""
    return name.removesuffix("_search")


def in_words(name: str) -> str:
    """The same without underscores: `successive halving`."""
    return short(name).replace("_", " ")


def spoken() -> str:
    """All of them in a row, for people."""
    return ", ".join(short(name) for name in names())
