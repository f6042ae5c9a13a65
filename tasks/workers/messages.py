"""What a search, the process that workers are forked from, and the workers tell each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nettuner.models.training.failure import Failure

# Environment variables: `sys.path` of the search as JSON, and threads of a worker.
SEARCH_PATH = "NETTUNER_SEARCH_PATH"
THREADS = "NETTUNER_THREADS"
# Argument of a process that imports nothing of the study's own.
BARE = "--bare"
# The first message of a worker about a call.
BEGUN = b"begun"


@dataclass(frozen=True)
class Call:
    """A call to be run.

    Args:
        function: Function, importable by name.
        args: Arguments.
        output: Path of a file to which all it prints is appended; None for the common log.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    output: Path | None


@dataclass(frozen=True)
class Answer:
    """What came of a call.

    Args:
        value: Result; None if it failed.
        failure: Why there is no result; None if there is one.
        changed: Whether the process is no longer as it was before the call.
    """

    value: Any
    failure: Failure | None
    changed: bool = False
