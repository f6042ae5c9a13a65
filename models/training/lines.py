"""The log of a trial: the metrics of each round as one JSON line, for the search to read."""

from __future__ import annotations

import json
import numbers as kinds
import time
from collections.abc import Callable, Mapping
from typing import Any


class Lines:
    """Writes each round's metrics as one JSON line, with the time since the line before.

    Args:
        write, flush: Of the log.
        share: Share of the time that is this trial's own, where several are trained together.
    """

    def __init__(
        self, write: Callable[[str], Any], flush: Callable[[], Any], share: float = 1.0
    ) -> None:
        self._write = write
        self._flush = flush
        self._share = share
        self._since = time.monotonic()
        self.latest: dict[str, float] = {}
        self.count = 0
        self.step = 0
        self._at = 0.0

    def add(self, step: int, metrics: Mapping[str, float]) -> None:
        """Append the metrics of a round, which ended at `step`, with a timestamp."""
        self.count += 1
        self.step = step
        self._append(step, metrics, is_round=True)

    def conclude(self, metrics: Mapping[str, float]) -> None:
        """Append metrics of the whole trial: at its last step, or as its only round."""
        if self.count:
            self._append(self.step, metrics, is_round=False)
        else:
            self.add(1, metrics)

    def _append(self, step: int, metrics: Mapping[str, float], *, is_round: bool) -> None:
        self.latest |= metrics
        # Later by what MLflow tells apart, or of one step the larger value counts as the latest.
        self._at = max(time.time(), self._at + (0 if is_round else 0.002))
        now = time.monotonic()
        seconds = round((now - self._since) * self._share, 6)
        self._since = now
        row = {
            "step": step,
            "time": self._at,
            "seconds": seconds,
            "metrics": dict(metrics),
            "round": is_round,
        }
        self._write(json.dumps(row) + "\n")
        self._flush()


def numbers(metrics: Mapping[Any, Any]) -> dict[str, float]:
    """The metrics as floats; arrays and tensors of one number are converted.

    Raises:
        TypeError: One is no number.
    """
    return {str(name): _number(str(name), value) for name, value in metrics.items()}


def _number(name: str, value: Any) -> float:
    try:
        number = value.item() if hasattr(value, "item") else value
    except (ValueError, RuntimeError):  # more than one
        number = value
    if isinstance(number, kinds.Real):
        return float(number)
    raise TypeError(f"{name} must be a number, got {type(value).__name__}; report it as a float")
