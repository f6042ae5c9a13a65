"""How this process runs, so that another one, forked elsewhere, can run the same way.

Imports nothing that is slow: every command tells it as its first step.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any


def surroundings() -> dict[str, Any]:
    """How this process runs, as JSON can tell it.

    Its environment, working directory (`folder`), where modules are imported from (`path`), umask,
    niceness, the cores that it may use (None where that cannot be said), and the soft and hard
    limit of each resource.
    """
    return {
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "path": list(sys.path),
        "umask": _umask(),
        "niceness": os.nice(0),
        "cores": _cores(),
        "limits": {name: list(resource.getrlimit(n)) for name, n in _resources().items()},
    }


def take_over(given: Mapping[str, Any]) -> None:
    """Make this process run as another one does, as far as its account allows.

    Args:
        given: Its `surroundings`.
    """
    os.environ.clear()
    os.environ.update(given["environment"])
    sys.path[:] = given["path"]
    with suppress(OSError):
        os.chdir(given["folder"])
    os.umask(given["umask"])
    with suppress(OSError):
        os.nice(given["niceness"] - os.nice(0))
    if given["cores"] is not None and sys.platform == "linux":
        with suppress(OSError):
            os.sched_setaffinity(0, given["cores"])
    for name, number in _resources().items():
        with suppress(OSError, ValueError, KeyError):
            resource.setrlimit(number, tuple(given["limits"][name]))


def confinement() -> list[str]:
    """What confines this process, on Linux: limits of memory and cores, and a container."""
    return [_control_group(), *(_namespace(kind) for kind in ("mnt", "net", "pid", "user"))]


def _control_group() -> str:
    try:
        with open("/proc/self/cgroup", encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def _namespace(kind: str) -> str:
    try:
        return os.readlink(f"/proc/self/ns/{kind}")
    except OSError:
        return ""


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _cores() -> list[int] | None:
    return sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else None


def _resources() -> dict[str, int]:
    return {name: number for name, number in vars(resource).items() if name.startswith("RLIMIT_")}
