"""Numbers and values as a reader sees them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from nettuner.models.brief import cut

LONGEST = 40


def short(value: Any) -> str:
    """A value in few characters; empty where there is none."""
    if value is None or value != value:  # NaN differs from itself
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    return cut(str(value), LONGEST)


def share(part: float) -> str:
    """A share in whole percent."""
    if 0 < part < 0.005:
        return "below 1 %"
    return f"{part:.0%}".replace("%", " %")


def clock(seconds: float) -> str:
    """A duration."""
    if not math.isfinite(seconds):
        return "unknown"
    if seconds < 120:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def listed(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def counted(count: int, one: str, many: str | None = None) -> str:
    """`1 trial`, `2 trials`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
