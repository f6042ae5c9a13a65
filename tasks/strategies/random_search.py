"""Random search: every trial is drawn independently from the space.

Source: Bergstra & Bengio, JMLR 13 (2012), https://jmlr.org/papers/v13/bergstra12a.html
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar, Self

import numpy as np

from nettuner.models.space import Space
from nettuner.models.study import Proposal, Study, Trial, free_numbers
from nettuner.tasks.strategies import Asks, WholeTrials, configured


class RandomSearch(WholeTrials):
    """Trial k depends on (seed, k) alone, so neither the width nor a resume changes it."""

    asks: ClassVar[Asks] = "ahead"

    @classmethod
    def for_study(cls, study: Study, structural: Collection[str] = ()) -> Self:
        """With the study's seed; there are no settings."""
        return configured(cls, study, seed=study.seed)

    def size(self, space: Space) -> int | None:
        """None: the number of trials is unlimited."""
        return None

    def propose(
        self, space: Space, history: Sequence[Trial], pending: Sequence[Proposal], count: int
    ) -> list[Proposal]:
        """Draw `count` configurations, each with its own generator."""
        return [
            Proposal(number, space.sample(np.random.default_rng([self.seed, number])))
            for number in free_numbers(history, pending, count)
        ]
