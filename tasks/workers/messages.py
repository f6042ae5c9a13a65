"""What a search, the process that workers are forked from, and the workers tell each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nettuner.models.study import Study
from nettuner.models.training.failure import Failure

# The first message of a worker about a call.
BEGUN = b"begun"


@dataclass(frozen=True)
class Setting:
    """How a search runs, for the process that its workers are forked from.

    Args:
        surroundings: How the command runs, as `surroundings` tells it.
        threads: Number of threads of numeric libraries in a worker.
        study: Study whose learner and data are loaded once, before workers are forked.
        bare: Whether nothing of the study's own may be imported before.
    """

    surroundings: Mapping[str, Any]
    threads: int
    study: Study | None
    bare: bool


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
