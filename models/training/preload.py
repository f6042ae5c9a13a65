"""Imports in advance what trials import, for the process that they are forked from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from nettuner.models import learners
from nettuner.models.data.load import load

if TYPE_CHECKING:
    from nettuner.models.study import Study

# The first optimiser imports modules of torch that take longer than all others.
torch.optim.SGD([torch.zeros(1, requires_grad=True)])


def preload(study: Study) -> None:
    """Import the learner of a study, and read its data.

    Raises:
        Exception: The learner's own modules raised it, or the data could not be read.
    """
    learners.find(study.learner)
    if study.data is not None:
        load(study.data)
