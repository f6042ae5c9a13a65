"""The spaces of the tables that `early_maker.py` makes: grids, so that all find every row."""

from __future__ import annotations

import itertools
from typing import Any

from problem import Dimensions


def levels(*values: float) -> dict[str, Any]:
    """A choice among values in their order."""
    return {"distribution": "choice", "values": list(values), "ordered": True}


RATES = levels(0.0001, 0.0003, 0.001, 0.002, 0.004, 0.008, 0.016, 0.03, 0.1, 0.3)
DROPOUTS = levels(0.0, 0.15, 0.3, 0.45, 0.6)
FEWER = levels(0.0, 0.15, 0.3, 0.45)
# Of 500, 100 and 200 configurations: fewer where an epoch takes longer.
SPACES: dict[str, Dimensions] = {
    "mlp": {
        "learning_rate": RATES,
        "dropout": DROPOUTS,
        "hidden": levels(8, 16, 32, 64, 128),
        "batch_size": levels(32, 128),
    },
    "cnn": {
        "learning_rate": RATES,
        "dropout": levels(0.0, 0.3),
        "channels": levels(2, 3, 4, 6, 8),
    },
    "transformer": {
        "learning_rate": RATES,
        "dropout": FEWER,
        "width": levels(4, 8, 16, 24, 32),
    },
}
# What fixes shapes.
STRUCTURAL = {"hidden", "batch_size", "channels", "width"}


def grid(space: Dimensions) -> list[dict[str, Any]]:
    """All configurations, the last dimension changes first."""
    found = itertools.product(*(dimension["values"] for dimension in space.values()))
    return [dict(zip(space, values, strict=True)) for values in found]
