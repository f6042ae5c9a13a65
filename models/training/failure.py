"""Why a trial has no score, as text that any store and any terminal can take."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from nettuner.models.encodable import encodable


@dataclass(frozen=True)
class Failure:
    """Why a trial has no score, and the traceback."""

    reason: str
    details: str = ""


def failure(error: BaseException) -> Failure:
    """An exception as text, because not every exception can be pickled between processes."""
    kind = type(error).__name__
    try:
        reason = f"{kind}: {error}"
        details = "".join(traceback.format_exception(error))
    except Exception:  # it cannot say what it is
        reason, details = f"{kind}, which cannot be printed", traceback.format_exc()
    return Failure(encodable(reason), encodable(details))
