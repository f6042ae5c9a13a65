"""The best trial of a search: evaluated on the test rows, and exported for serving."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nettuner.models.answers import Answered


@dataclass(frozen=True)
class Winner:
    """A search's best trial, evaluated and exported.

    Args:
        metrics: Metrics on the test rows, named test_*.
        network: Path of the network as a `torch.export` program; None if it cannot be exported.
        why_not: Reason why it cannot be exported; None if it can.
        preprocessing: Preprocessing from raw rows to the network's inputs, as JSON; None where a
            served model takes the network's own inputs and answers with its outputs.
        example: Example rows as a served model receives them: a DataFrame or an array.
        answers: Outputs of the network for `example`, where there is no preprocessing.
        answered: What it answers to the test rows; None where that cannot be drawn.
    """

    metrics: Mapping[str, float]
    network: Path | None
    why_not: str | None
    preprocessing: str | None
    example: Any
    answers: Any = None
    answered: Answered | None = None
