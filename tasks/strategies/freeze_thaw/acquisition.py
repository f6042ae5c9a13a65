"""What a segment is worth: expected improvement per round that is expected to be trained.

A segment is a look: if it disappoints, the rest is never trained. So the cost of an improvement is
that of the next segment, and that of the remaining rounds only with the probability that they are
worth it. Where the best score is expected is searched over all later rungs, as a metric may get
worse again.

Related: expected improvement at the next round (Wistuba, Kadra & Grabocka, DyHPO, 2022,
arXiv:2202.09774); probability of improvement at a random horizon over a random threshold
(Rakotoarison et al., ifBO, 2024, arXiv:2404.16795).
"""

from __future__ import annotations

import numpy as np
from scipy.special import log_ndtr

from nettuner.models.arrays import Floats
from nettuner.tasks.strategies.bayesian.improvement import log_expected_improvement


def log_worth(mean: Floats, std: Floats, best: float, now: Floats, rest: Floats) -> Floats:
    """Logarithm of the expected improvement by unit of cost; same shape as `mean`.

    Args:
        mean: Expected score at the horizon.
        std: Its standard deviation.
        best: Lowest score so far.
        now: Cost of the next segment.
        rest: Cost from its end to the horizon.
    """
    chance = np.exp(log_ndtr((best - mean) / std))
    found: Floats = log_expected_improvement(mean, std, best) - np.log(now + chance * rest)
    return found
