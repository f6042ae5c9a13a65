"""What can happen to a run, as plain values that a journal keeps until a store has them.

Whoever sends an event may send it once more without changing what is recorded.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nettuner.tasks.memory.metrics import Point

Event = dict[str, Any]

OPEN, LOG, DATA, TEXT, IMAGE, END = "open", "log", "data", "text", "image", "end"


def opened(run_id: str, experiment_id: str, name: str, tags: Mapping[str, str]) -> Event:
    """A run begins."""
    return {
        "do": OPEN,
        "run": run_id,
        "experiment": experiment_id,
        "name": name,
        "at": _now(),
        "tags": dict(tags),
    }


def logged(
    run_id: str,
    metrics: Sequence[Point] = (),
    params: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
) -> Event:
    """A run has further metrics, params and tags."""
    return {
        "do": LOG,
        "run": run_id,
        "metrics": list(metrics),
        "params": dict(params or {}),
        "tags": dict(tags or {}),
    }


def trained_on(run_id: str, name: str, digest: str, schema: str = "", profile: str = "") -> Event:
    """A run has data.

    Args:
        run_id: Id of the run.
        name: Name of the data.
        digest: Fingerprint of their content.
        schema, profile: Columns and what was understood of them, as JSON; empty for none.
    """
    told = {"schema": schema, "profile": profile}
    return {"do": DATA, "run": run_id, "name": name, "digest": digest, **told}


def kept_text(run_id: str, name: str, text: str) -> Event:
    """A run has a text among its artifacts, in place of one of the same name."""
    return {"do": TEXT, "run": run_id, "name": name, "text": text}


def kept_image(run_id: str, key: str, step: int, file: Path) -> Event:
    """A run has an image: an array in a file, which is deleted once the store has it."""
    return {"do": IMAGE, "run": run_id, "key": key, "step": step, "file": str(file), "at": _now()}


def ended(run_id: str, status: str) -> Event:
    """A run has ended."""
    return {"do": END, "run": run_id, "status": status, "at": _now()}


def _now() -> int:
    """Milliseconds since 1970, as MLflow counts."""
    return int(time.time() * 1000)
