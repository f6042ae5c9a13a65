"""The model of a search's scores, which importance and partial dependence are asked of.

It is the Gaussian process of the Bayesian search, whatever the strategy was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nettuner.models.arrays import Floats
from nettuner.models.space import Space
from nettuner.models.study import Trial
from nettuner.tasks.strategies.bayesian.coordinates import Coordinates
from nettuner.tasks.strategies.bayesian.gaussian_process import GaussianProcess
from nettuner.tasks.strategies.bayesian.long_history import thinned
from nettuner.tasks.strategies.bayesian.targets import in_units, noise_of
from nettuner.tasks.strategies.bayesian.trend import Trend
from nettuner.tasks.strategies.bayesian.warping import warped

# Fewest trials that a model is fitted to, and most.
FEWEST, MOST = 6, 300
SEED = 0


@dataclass(frozen=True)
class Surrogate:
    """A Gaussian process, and the way back from its scale to scores.

    Args:
        coordinates: Coordinates of the space.
        process: Gaussian process of the targets.
        targets: Targets of the trials, ascending; shape [n].
        scores: Their scores, ascending; shape [n].
        explained: Share of the targets' variance that it predicts of trials left out, at most 1.
    """

    coordinates: Coordinates
    process: GaussianProcess
    targets: Floats
    scores: Floats
    explained: float

    def columns(self, points: Floats) -> Floats:
        """Inputs of the process for points with all dimensions, of which some are inactive."""
        return self.coordinates.columns(self.coordinates.masked(points))

    def score(self, targets: Floats) -> Floats:
        """Scores of targets; beyond those of the trials, the scale of the nearest few goes on.

        A metric that was never negative is not expected to be, nor one that was never above 1 to
        be larger where more is better.
        """
        inside = np.interp(targets, self.targets, self.scores)
        below = np.minimum(targets - self.targets[0], 0) * self._slope(first=True)
        above = np.maximum(targets - self.targets[-1], 0) * self._slope(first=False)
        found: Floats = inside + below + above
        for limit in (0.0, -1.0):
            if self.scores[0] >= limit:
                return np.maximum(found, limit)
        return found

    def _slope(self, first: bool) -> float:
        """Scores by targets at the first or the last few trials."""
        few = max(2, len(self.targets) // 8)
        some = slice(None, few) if first else slice(-few, None)
        rise = float(np.ptp(self.targets[some]))
        return float(np.ptp(self.scores[some])) / rise if rise > 0 else 0.0

    @property
    def noise(self) -> float:
        """Standard deviation of chance in one trial, at the best one, in units of the scores."""
        settings = self.process.settings_
        deviation = float(np.sqrt(np.exp(settings[-1]) + self.process.usual_noise_))
        best = self.targets[0]
        low, high = self.score(np.array([best, best + deviation]))
        return float(high - low)


def fit(space: Space, trials: Sequence[Trial]) -> Surrogate | None:
    """The model of some trials; None where there are too few, or nothing differs.

    Args:
        space: Space that they are from; trials outside of it, and failed ones, are left out.
        trials: Trials of one search.
    """
    from threadpoolctl import threadpool_limits

    scored = [t for t in trials if t.succeeded and space.contains(t.proposal.params)]
    coordinates = Coordinates(space)
    if len(scored) < FEWEST or not coordinates.searched:
        return None
    some = thinned(np.array([trial.score for trial in scored], float), MOST)
    scored = [scored[place] for place in some]
    scores = np.array([trial.score for trial in scored], float)
    found = in_units(scores)
    if found is None:
        return None
    targets, half_unit = found
    known = noise_of([trial.standard_error for trial in scored], half_unit)
    columns = coordinates.columns(coordinates.points(t.proposal.params for t in scored))
    trend = Trend(coordinates.positions, coordinates.absences)
    with threadpool_limits(1, user_api="blas"):  # more make small matrices slower
        targets, known = warped(columns, coordinates.groups, targets, known, trend)
        process = GaussianProcess(coordinates.groups, SEED, known, trend).fit(columns, targets)
        missed = process.left_out(columns, targets)
    order = np.lexsort((scores, targets))
    spread = max(float(targets.var()), 1e-12)
    return Surrogate(
        coordinates,
        process,
        targets[order],
        np.maximum.accumulate(scores[order]),
        1 - float(np.mean(missed**2)) / spread,
    )
