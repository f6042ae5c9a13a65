"""The names of the runners, without importing any: the command line tells them at once."""

from __future__ import annotations

import pkgutil
from pathlib import Path


def names() -> list[str]:
    """Names of the runners: the files of `runners/`."""
    folder = Path(__file__).with_name("runners")
    return sorted(module.name for module in pkgutil.iter_modules([str(folder)]))
