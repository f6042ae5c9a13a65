"""Imports in advance what trials import, for the processes that they are forked from."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

import torch

from nettuner.models import check, learners  # noqa: F401 - imported for those forked from here
from nettuner.models.data.load import load
from nettuner.models.stacks import trials  # noqa: F401 - likewise
from nettuner.models.training import examine  # noqa: F401 - likewise

if TYPE_CHECKING:
    from nettuner.models.study import Study

# In the source of functions that may make one of torch's optimisers.
TRAINS = re.compile(r"\b(torch|lightning|transformers|accelerate|fastai|skorch)\b")


def preload(study: Study) -> None:
    """Import the learner of a study, and read its data.

    Raises:
        Exception: The learner's own modules raised it, or the data could not be read.
    """
    found = learners.find(study.learner)
    if study.data is not None:
        load(study.data)
    elif TRAINS.search(_source(found)):
        # The first optimiser imports modules of torch that take longer than all others.
        torch.optim.SGD([torch.zeros(1, requires_grad=True)])


def _source(function: Any) -> str:
    """The source of the file that defines a function; empty where there is none."""
    try:
        return inspect.getsource(inspect.getmodule(function) or function)
    except (OSError, TypeError):
        return ""
