"""Metrics as MLflow can store them: finite values, and names that it allows."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping

from nettuner.tasks.memory.tags import OURS

Point = tuple[str, float, int, int]
"""Name, value, milliseconds since 1970, and step."""

LONGEST_NAME = 250
FORBIDDEN = re.compile(r"[^\w.:/ -]")


def finite_metrics(step: int, at: float, values: Mapping[str, float]) -> list[Point]:
    """The finite ones of some metrics; MLflow would store infinity as the largest float."""
    return [
        (fit(name), float(value), int(at * 1000), int(step))
        for name, value in values.items()
        if math.isfinite(value)
    ]


def fit(name: str) -> str:
    """A name of a metric as MLflow takes it.

    It refuses most special characters, empty names, and what would leave a folder as a path. A name
    that has to change ends in a digest, so that no two names become one.
    """
    parts = FORBIDDEN.sub("_", name).split("/")
    fitting = "/".join("_" if part in ("", ".", "..") else part for part in parts)[:LONGEST_NAME]
    if fitting == name and not name.startswith(OURS):
        return name
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:4]
    return f"{fitting[: LONGEST_NAME - 6].removesuffix('/')}-{digest}"
