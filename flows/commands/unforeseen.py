"""One line for an exception that nobody foresaw; its traceback goes to a file in the home."""

from __future__ import annotations

import traceback
from contextlib import suppress

from nettuner.tasks.home import home, tracking_uri

# Modules whose exceptions are about MLflow's records.
OF_RECORDS = ("mlflow", "sqlalchemy", "sqlite3", "nettuner.tasks.memory")


def unforeseen(error: Exception) -> str:
    """What went wrong, in a line, and where its traceback is."""
    return f"{_said(error)}{_kept(error)}"


def _said(error: Exception) -> str:
    first = next(iter(str(error).strip().splitlines()), "").rstrip(".")
    if isinstance(error, OSError) and error.strerror:
        place = f": {error.filename}" if error.filename else ""
        reason = error.strerror.lower()
        return (
            f"a file must be readable or writable, got {reason}{place}; correct the path or make "
            "room"
        )
    if f"{type(error).__module__}.".startswith(tuple(f"{name}." for name in OF_RECORDS)):
        return (
            f"the records in {tracking_uri()} must be readable and writable, got: {first}; repair "
            "them, or set NETTUNER_HOME or MLFLOW_TRACKING_URI to others"
        )
    return f"{type(error).__name__}: {first}"


def _kept(error: Exception) -> str:
    with suppress(OSError, ValueError):  # the home itself may be what is wrong
        file = home() / "errors.log"
        with file.open("a", encoding="utf-8") as log:
            log.writelines(traceback.format_exception(error))
        return f" (its traceback: {file})"
    return ""
