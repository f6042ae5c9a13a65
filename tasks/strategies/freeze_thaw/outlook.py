"""What the curves so far let expect of every configuration, and what to train next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from nettuner.models.arrays import Floats, Ints
from nettuner.tasks.strategies.bayesian.trend import Trend
from nettuner.tasks.strategies.freeze_thaw.acquisition import log_worth
from nettuner.tasks.strategies.freeze_thaw.likelihood import CurveLikelihood
from nettuner.tasks.strategies.freeze_thaw.observations import Observations, targets
from nettuner.tasks.strategies.freeze_thaw.process import (
    CurveProcess,
    conditioned,
    likeliest_settings,
    time_of,
)

# Most points of curves that settings are fitted to, and that the process is conditioned on.
FITTED, KEPT = 100, 400
# Of the configurations that could be continued, and of those that could be started, as many with
# the best expected scores are looked at closely.
CONTINUED, STARTED = 25, 50


@dataclass(frozen=True)
class Domain:
    """What a search is over.

    Args:
        groups: Index of the dimension of each column of a configuration; shape [columns].
        trend: Trend over the configurations.
        rungs: Last round of each possible segment, ascending; the last is the whole training.
    """

    groups: Ints
    trend: Trend
    rungs: Sequence[int]

    @property
    def whole(self) -> int:
        """Rounds of a whole training."""
        return self.rungs[-1]


def settings_of(domain: Domain, columns: Floats, points: Observations) -> Floats | None:
    """Settings of the process fitted to these curves; None if all scores are equal."""
    some = points.at_rungs(domain.rungs).thinned(FITTED)
    values = standardised(some)
    if values is None:
        return None
    density = CurveLikelihood(
        columns[some.owner],
        domain.groups,
        some.owner,
        time_of(some.round_, domain.whole),
        values,
        domain.trend,
    )
    return likeliest_settings(density)


def standardised(points: Observations) -> Floats | None:
    """Targets with mean 0 and variance 1; None if all are equal."""
    found = targets(points)
    if found is None or found.std() == 0:
        return None
    values: Floats = (found - found.mean()) / found.std()
    return values


@dataclass(frozen=True)
class Outlook:
    """Expectations of every configuration, from a process conditioned on the curves so far.

    Args:
        domain: What the search is over.
        process: Process of the targets.
        best: Lowest expected target at any point of the curves.
    """

    domain: Domain
    process: CurveProcess
    best: float

    @classmethod
    def of(
        cls, domain: Domain, columns: Floats, points: Observations, settings: Floats
    ) -> Outlook | None:
        """Condition on curves; None if all scores are equal.

        Args:
            domain: What the search is over.
            columns: Inputs of the configurations that were started, shape [m, columns].
            points: Their curves.
            settings: Settings of the process.
        """
        kept = points.at_rungs(domain.rungs).thinned(KEPT)
        values = standardised(kept)
        if values is None:
            return None
        process = conditioned(
            columns,
            domain.groups,
            domain.trend,
            settings,
            kept.owner,
            time_of(kept.round_, domain.whole),
            values,
        )
        return cls(domain, process, float(process.means.min()))

    def believing(self, columns: Floats, owner: int, until: int) -> Outlook:
        """As if a segment in flight had ended with the score that is expected of it.

        Args:
            columns: Inputs of its configuration, shape [columns].
            owner: Index of its configuration; the number of known ones for a new one.
            until: Round that it ends with.
        """
        time = float(time_of(until, self.domain.whole))
        process = self.process.believing(columns, owner, time)
        return Outlook(self.domain, process, min(self.best, float(process.values[-1])))

    def chances(self, which: Ints) -> Floats:
        """Probability that each of these configurations beats the best when it is trained in full.

        Args:
            which: Indices of the configurations, shape [p].
        """
        columns = self.process.columns[which]
        mean, std = self.process.posterior(columns, which, np.ones(len(which)))
        found: Floats = ndtr((self.best - mean) / std)
        return found

    def of_starting(self, columns: Floats, seconds: Floats | float = 1.0) -> Floats:
        """Log worth of starting configurations; -inf for those with poor expectations.

        Args:
            columns: Inputs of the configurations, shape [p, columns].
            seconds: Cost of a round of each, shape [p]; or of all.
        """
        first, whole = self.domain.rungs[0], self.domain.whole
        means = self.process.mean(columns, np.full(len(columns), -1), time=1.0)
        some = np.argsort(means, kind="stable")[:STARTED]
        found = np.full(len(columns), -np.inf)
        owner, time = np.full(len(some), -1), np.ones(len(some))
        mean, std = self.process.posterior(columns[some], owner, time)
        now, rest = np.full(len(some), float(first)), np.full(len(some), float(whole - first))
        found[some] = log_worth(mean, std, self.best, now, rest)
        return found - np.log(seconds)

    def of_continuing(self, which: Ints, reached: Ints, seconds: Floats | float = 1.0) -> Floats:
        """Log worth of continuing configurations; -inf for those with poor expectations.

        Args:
            which: Indices of the configurations, shape [p].
            reached: Last round of each so far, less than a whole training; shape [p].
            seconds: Cost of a round of each, shape [p]; or of all.
        """
        columns = self.process.columns[which]
        means = self.process.mean(columns, which, time=1.0)
        some = np.argsort(means, kind="stable")[:CONTINUED]
        found = np.full(len(which), -np.inf)
        rungs = np.asarray(self.domain.rungs)
        step = np.searchsorted(rungs, reached[some], side="right")
        row, ahead = np.nonzero(np.arange(len(rungs)) >= step[:, None])
        time = time_of(rungs[ahead], self.domain.whole)
        mean, std = self.process.posterior(columns[some][row], which[some][row], time)
        now, rest = (rungs[step] - reached[some])[row], rungs[ahead] - rungs[step][row]
        worth = log_worth(mean, std, self.best, now.astype(float), rest.astype(float))
        np.maximum.at(found, some[row], worth)
        return found - np.log(seconds)
