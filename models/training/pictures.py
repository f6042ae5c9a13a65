"""Pictures that are drawn while a trial trains: when, and where the search finds them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nettuner.models.training.job import Job

# How often pictures are drawn in a whole training.
SHOWN = 5


def is_shown(round_: int, rounds: int) -> bool:
    """Whether pictures are drawn after a round: a few times in a training, and at its end."""
    return round_ == rounds or round_ % math.ceil(rounds / SHOWN) == 0


def draw(job: Job, name: str, round_: int, picture: Any) -> None:
    """Write a picture to a file for the search to collect.

    Args:
        job: Job of the trial.
        name: Name of the picture.
        round_: Round that it was drawn after.
        picture: Array of shape [height, width] or [height, width, 3].
    """
    path = job.picture(name, job.study.step_after(round_))
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.save(file, picture)
    partial.replace(path)
