"""What has to be the same on all machines of a search: nettuner, and Python."""

from __future__ import annotations

import functools
import hashlib
import sys
from importlib.metadata import version
from pathlib import Path

PARTS = ("models", "tasks")


@functools.cache
def release() -> str:
    """Version of nettuner with a digest of what trials run of it, and version of Python."""
    root = Path(__file__).parents[2]
    found = hashlib.sha256()
    for part in PARTS:
        for path in sorted((root / part).rglob("*.py")):
            found.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    python = ".".join(map(str, sys.version_info[:2]))
    return f"nettuner {version('nettuner')} ({found.hexdigest()[:8]}) on Python {python}"
