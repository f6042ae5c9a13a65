"""Whether more trials are worth it: what the model expects of the next one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nettuner.models.study import Trial
from nettuner.tasks.report.html.surrogate import SEED, Surrogate
from nettuner.tasks.strategies.bayesian.candidates import promising
from nettuner.tasks.strategies.bayesian.improvement import log_expected_improvement

# Number of best trials that candidates are looked for near to.
LEADERS = 3
# Outcomes that stand for all of the next trial's.
OUTCOMES = 256


@dataclass(frozen=True)
class Next:
    """What is expected of the next trial.

    Args:
        gain: Expected improvement of the best score, in units of the metric.
        chance: Probability that there is one.
        share: The gain as a share of what the best has over the median trial.
        best: Number of the trial of which the model expects most.
        expected: Score that it expects of that trial.
    """

    gain: float
    chance: float
    share: float
    best: int
    expected: float


def next_trial(model: Surrogate, trials: Sequence[Trial]) -> Next:
    """What the model expects of the next trial, where it is chosen by expected improvement.

    Args:
        model: Model of the trials.
        trials: Trials with scores that it was fitted to, or more.
    """
    from scipy.special import ndtr, ndtri
    from threadpoolctl import threadpool_limits

    coordinates, process = model.coordinates, model.process
    fitting = [t for t in trials if coordinates.space.contains(t.proposal.params)]
    points = coordinates.points(trial.proposal.params for trial in fitting)
    with threadpool_limits(1, user_api="blas"):
        means = process.predict(coordinates.columns(points))
        order = np.argsort(means, kind="stable")
        lowest = float(means[order[0]])

        def promise(candidates: np.ndarray) -> np.ndarray:
            columns = coordinates.columns(candidates)
            mean, std = process.posterior(columns, columns[:0])
            return log_expected_improvement(mean, std, lowest)

        rng = np.random.default_rng(SEED)
        chosen = promising(coordinates, points[order[:LEADERS]], promise, rng)[:1]
        columns = coordinates.columns(chosen)
        mean, std = process.posterior(columns, columns[:0])
    outcomes = mean[0] + std[0] * ndtri((np.arange(OUTCOMES) + 0.5) / OUTCOMES)
    now = float(model.score(np.array([lowest]))[0])
    gains = np.maximum(now - model.score(np.minimum(outcomes, lowest)), 0)
    gain = float(gains.mean())
    ahead = float(np.median(model.scores)) - now
    return Next(
        gain,
        float(ndtr((lowest - mean[0]) / std[0])),
        gain / ahead if ahead > 0 else 0.0,
        fitting[int(order[0])].number,
        now,
    )
