"""Candidates for the acquisition function, and local search for its maximum."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from nettuner.models.arrays import Floats
from nettuner.tasks.strategies.bayesian.coordinates import Coordinates

# Candidates drawn from the whole space, and perturbed copies of each of the best trials.
EVERYWHERE, COPIES = 500, 60
# Standard deviations of the perturbations, as shares of each axis.
NEAR = (0.1, 0.03)
# Local search: number of best candidates, copies of each, and decreasing step sizes.
PROMISING, MOVES, RADII = 5, 30, (0.1, 0.03, 0.01, 0.003)


def promising(
    coordinates: Coordinates,
    leaders: Floats,
    promise: Callable[[Floats], Floats],
    rng: Generator,
) -> Floats:
    """Points of the space, best acquisition value first; shape [n, dimensions].

    All are valid configurations: some drawn from the distributions, some near the best trials, and
    all that differ from these in one listed value; then local search from the best of them.

    Args:
        coordinates: Coordinates of the space.
        leaders: Points of the best trials, shape [leaders, dimensions].
        promise: Acquisition function of points; larger is better.
        rng: Random generator.
    """
    units = rng.random((EVERYWHERE, len(coordinates.names)))
    pool = np.concatenate(
        [
            coordinates.masked(coordinates.drawn(units)),
            *(coordinates.nearby(np.repeat(leaders, COPIES, axis=0), r, rng) for r in NEAR),
            coordinates.flips(leaders, rng),
        ]
    )
    promises = promise(pool)
    for radius in RADII:
        top = pool[np.argsort(-promises, kind="stable")[:PROMISING]]
        near = coordinates.nearby(np.repeat(top, MOVES, axis=0), radius, rng)
        pool, promises = np.concatenate([pool, near]), np.append(promises, promise(near))
    found: Floats = pool[np.argsort(-promises, kind="stable")]
    return found
