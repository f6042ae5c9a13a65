"""A note that a process leaves in a file for others, which believe it as long as it lives.

Imports nothing that is slow: every command reads notes as its first step.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

# Of the clock, by which psutil reckons when a process began.
SECONDS_OF_DOUBT = 1.0


def began(process: int) -> float | None:
    """When a process began, seconds since 1970; None if it has ended."""
    with suppress(psutil.Error):
        found = psutil.Process(process)
        if found.status() != psutil.STATUS_ZOMBIE:
            return float(found.create_time())
    return None


def lives(process: int, created: float) -> bool:
    """Whether it is this very process, not a later one of the same id."""
    found = began(process)
    return found is not None and abs(found - created) < SECONDS_OF_DOUBT


def read(path: Path) -> dict[str, Any]:
    """What a note tells; nothing if there is none, or it makes no sense."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def write(path: Path, told: Mapping[str, Any]) -> None:
    """Leave a note, whole or not at all."""
    new = path.with_name(f"{path.name}.{os.getpid()}")
    new.write_text(json.dumps(told), encoding="utf-8")
    new.replace(path)
