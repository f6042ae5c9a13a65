"""Functions drawn from the posterior of a Gaussian process, to be asked at any number of inputs.

A function of the prior is a sum of cosines with random frequencies (Rahimi & Recht, Random
Features for Large-Scale Kernel Machines, 2007) plus a random trend. What it misses at the trials is
added, spread by the covariance, which makes it a function of the posterior (Matheron's rule; Wilson
et al., Efficiently Sampling Functions from Gaussian Process Posteriors, 2020, arXiv:2002.09309).
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from scipy.linalg import cho_solve

from nettuner.models.arrays import Floats
from nettuner.tasks.strategies.bayesian.gaussian_process import GaussianProcess

# Cosines in a function of the prior; its covariance is off by about one over their root.
COSINES = 512
# Degrees of freedom of the Student t distribution that is the spectrum of Matern 5/2: 2 x 5/2.
FREEDOM = 5
# Inputs that are asked at once.
BLOCK = 4096


class Paths:
    """Some functions of the posterior.

    Args:
        process: Fitted Gaussian process.
        count: Number of functions.
        rng: Random generator.
    """

    def __init__(self, process: GaussianProcess, count: int, rng: Generator) -> None:
        self._process = process
        inputs = process.X_train_
        heavy = np.sqrt(rng.chisquare(FREEDOM, (1, COSINES)) / FREEDOM)
        self._frequencies = rng.normal(size=(inputs.shape[1], COSINES)) / heavy
        self._phases = rng.uniform(0, 2 * np.pi, COSINES)
        self._weights = rng.normal(size=(COSINES, count))
        self._trends = rng.normal(size=(process.trend.features(inputs[:1]).shape[1], count))
        variance = (process.L_**2).sum(axis=1)
        own = np.exp(process.settings_[-2]) + process.trend.variance(inputs)
        noise = np.sqrt(np.maximum(variance - own, 0))[:, None] * rng.normal(
            size=(len(inputs), count)
        )
        missed = process.y_train_[:, None] - self._prior(inputs) - noise
        self._added = cho_solve((process.L_, True), missed)

    def __call__(self, columns: Floats) -> Floats:
        """The functions at some inputs, shape [n, columns]; returns shape [n, count]."""
        blocks = [columns[first : first + BLOCK] for first in range(0, len(columns), BLOCK)]
        found = [self._prior(block) + self._near(block) @ self._added for block in blocks]
        return np.concatenate(found) if found else np.zeros((0, self._weights.shape[1]))

    def _near(self, columns: Floats) -> Floats:
        """Covariance of inputs with the trials; shape [n, trials]."""
        return self._process.covariance(columns, self._process.X_train_)

    def _prior(self, columns: Floats) -> Floats:
        """The functions of the prior; shape [n, count]."""
        process = self._process
        scales = np.exp(-process.settings_[:-2])[np.asarray(process.groups)]
        angles = columns * scales @ self._frequencies + self._phases
        size = np.sqrt(2 * np.exp(process.settings_[-2]) / COSINES)
        trend = process.trend
        found: Floats = size * np.cos(angles) @ self._weights
        return found + trend.features(columns) @ self._trends + trend.mean(columns)[:, None]
