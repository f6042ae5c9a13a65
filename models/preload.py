"""Imports in advance what trials import, for the processes that they are forked from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from nettuner.models import check, learners  # noqa: F401 - imported for those forked from here
from nettuner.models.data.load import load
from nettuner.models.learner import Learner
from nettuner.models.stacks import trials  # noqa: F401 - likewise
from nettuner.models.training import examine  # noqa: F401 - likewise

if TYPE_CHECKING:
    from nettuner.models.study import Study


def preload(study: Study) -> None:
    """Import the learner of a study, and read its data.

    Raises:
        Exception: The learner's own modules raised it, or the data could not be read.
    """
    found = learners.find(study.learner)
    if study.data is not None:
        load(study.data)
    if not (isinstance(found, type) and issubclass(found, Learner)):
        # A function's first optimiser imports modules of torch that take longer than all others.
        torch.optim.SGD([torch.zeros(1, requires_grad=True)])
