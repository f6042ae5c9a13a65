"""The ranges that hyperparameters are usually searched in, by the names that they usually have."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

Written = Mapping[str, Any] | list[Any]
"""A dimension as a study file has it."""

# The first that is found in a name decides. Rates as in Goodfellow et al., Deep Learning (2016),
# section 11.4: on a logarithmic scale, over some powers of ten.
BY_NAME: Mapping[str, Written] = {
    "weight_decay|l2": {"distribution": "log-uniform", "low": 1e-6, "high": 1e-1},
    r"learning_rate|\blr\b|_lr\b|\blr_": {"distribution": "log-uniform", "low": 1e-4, "high": 3e-2},
    "momentum": {"distribution": "uniform", "low": 0.5, "high": 0.99},
    "dropout": {"distribution": "uniform", "low": 0.0, "high": 0.5},
    "smoothing": {"distribution": "uniform", "low": 0.0, "high": 0.2},
    "batch": [16, 32, 64, 128],
    "kernel": {"distribution": "choice", "values": [1, 3, 5], "ordered": True},
    "heads": {"distribution": "choice", "values": [1, 2, 4], "ordered": True},
    # Heads divide them.
    "width|embed": {"distribution": "choice", "values": [32, 64, 128], "ordered": True},
    "layers|depth|blocks": {"distribution": "integer", "low": 1, "high": 3},
    "channels|filters": {"distribution": "integer", "low": 8, "high": 64, "log": True},
    "hidden|units|latent|feed_forward|size|dim": {
        "distribution": "integer",
        "low": 16,
        "high": 128,
        "log": True,
    },
}
# How far a range goes from a default to both sides.
FACTOR = 4


def usual_range(name: str, default: Any = None, choices: Sequence[Any] = ()) -> Written | None:
    """What is usually searched of a hyperparameter.

    Args:
        name: Its name, which mostly says what it is.
        default: Its default; a name that says nothing is searched around that.
        choices: All values that it may have, where these are known.

    Returns:
        None where neither name nor default say anything.
    """
    if choices:
        return list(choices)
    for pattern, written in BY_NAME.items():
        if re.search(pattern, name.lower()):
            return written
    return _around(default)


def _around(default: Any) -> Written | None:
    if isinstance(default, bool):
        return [False, True]
    if isinstance(default, int) and default > 1:
        whole = {"low": max(1, default // FACTOR), "high": default * FACTOR}
        return {"distribution": "integer", **whole, "log": True}
    if isinstance(default, int | float) and default > 0:
        return {"distribution": "log-uniform", "low": default / FACTOR, "high": default * FACTOR}
    return None
