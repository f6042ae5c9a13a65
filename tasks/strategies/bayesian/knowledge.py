"""What one more trial would teach, the measure by which a repetition competes with a new trial.

Source: Frazier, Powell & Dayanik, The Knowledge-Gradient Policy for Correlated Normal Beliefs
(2009). The expectation over the outcome is taken over quantiles of its distribution.
"""

from __future__ import annotations

import numpy as np

from nettuner.models.arrays import Floats
from nettuner.tasks.strategies.bayesian.gaussian_process import GaussianProcess

# Outcomes that stand for all: the middles of so many equally likely intervals.
OUTCOMES = 64


def knowledge(process: GaussianProcess, tried: Floats, asked: Floats) -> Floats:
    """How much lower the lowest posterior mean is expected to be after one more trial; shape [m].

    Args:
        process: Gaussian process of the scores; lower is better.
        tried: Inputs that may be answered with, shape [n, columns], n > 0.
        asked: Inputs, one of which would be tried once more or first; shape [m, columns].
    """
    from scipy.special import ndtri

    outcomes = ndtri((np.arange(OUTCOMES) + 0.5) / OUTCOMES)
    mean, shift = process.shift(np.concatenate([tried, asked]), asked)
    count = len(tried)
    found = np.empty(len(asked))
    for i in range(len(asked)):
        known = [*range(count), count + i]  # what it would be answered with: those, or the new one
        # Each outcome moves all means, the more the closer they are tied to the trial.
        lowest = (mean[known, None] + shift[known, i][:, None] * outcomes).min(axis=0).mean()
        found[i] = mean[:count].min() - lowest
    return found
