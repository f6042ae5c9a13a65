"""What a history leads one to expect of any configuration: the score, and whether it works."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr

from nettuner.models.arrays import Floats, Ints
from nettuner.models.study import Trial
from nettuner.tasks.strategies.bayesian.coordinates import Coordinates
from nettuner.tasks.strategies.bayesian.gaussian_process import GaussianProcess, fitted
from nettuner.tasks.strategies.bayesian.improvement import log_expected_improvement
from nettuner.tasks.strategies.bayesian.targets import standardised

# The distribution of a hyperparameter counts as much as this many trials do.
PULL = 2.0
# Earlier searches are believed unasked until so many trials of this one can tell.
ENOUGH = 3
# How far apart the same configuration lies in two searches, as a share of an axis.
APART = 0.25


@dataclass(frozen=True)
class Expectation:
    """What was learned from a history; see `expect`.

    Args:
        coordinates: Coordinates of the space.
        process: Gaussian process of the scores.
        works: Model of whether trials fail; None where none did.
        failed: Points of the present search's failed trials; shape [m, dimensions].
        sources: Number of searches that the trials come from; the present one is the last.
        leaders: Points of all trials with a score, the best first; shape [n, dimensions].
        best: The lowest mean at any trial of the present search.
        trials: Number of trials that it was learned from.
    """

    coordinates: Coordinates
    process: GaussianProcess
    works: Works | None
    failed: Floats
    sources: int
    leaders: Floats
    best: float
    trials: int

    def columns(self, points: Floats) -> Floats:
        """What the models see of configurations of the present search."""
        return _columns(self.coordinates, points, self.sources, self.sources - 1)

    def promise(self, points: Floats, pending: Floats, explore: float) -> Floats:
        """How promising each point is, larger is better; shape [n].

        The logarithm of the expected improvement, times the probability that the trial works,
        times the prior distribution to a power that vanishes with the number of trials (Hvarfner
        et al. 2022, arXiv:2204.11051). Without curiosity the mean stands for the improvement.

        A trial that failed has no score, but there is no more to be learned beside it: it is
        believed to have had the one expected, as those that are pending are.

        Args:
            points: Shape [n, dimensions].
            pending: Points believed to turn out as expected; shape [m, dimensions].
            explore: Multiplies the standard deviation of the model.
        """
        columns, flying = self.columns(points), self.columns(pending)
        believed = np.concatenate([flying, self.columns(self.failed)])
        mean, std = self.process.posterior(columns, believed)
        if explore:
            best = self.best
            if len(flying):  # what is expected of these is no improvement any more
                best = min(best, float(self.process.predict(flying).min()))
            gain = log_expected_improvement(mean, explore * std, best)
        else:
            gain = -mean
        if self.works is not None:
            gain = gain + self.works.log_probability(columns)
        return gain + PULL / (1 + self.trials) * self.coordinates.log_prior(points)


@dataclass(frozen=True)
class Works:
    """Whether trials work: a Gaussian process of 0 for those that do and 1 for those that fail.

    Args:
        process: Gaussian process of these labels, standardised.
        half: Standardised value of 1/2.
    """

    process: GaussianProcess
    half: float

    def log_probability(self, columns: Floats) -> Floats:
        """Of the label being nearer to 0 than to 1."""
        mean, std = self.process.posterior(columns, columns[:0])
        noise = np.exp(self.process.settings_[-1])
        found: Floats = log_ndtr((self.half - mean) / np.sqrt(std**2 + noise))
        return found


def expect(
    coordinates: Coordinates,
    history: Sequence[Trial],
    earlier: Sequence[Sequence[Trial]],
    seed: int,
) -> Expectation | None:
    """What a history, and those of earlier searches, lead one to expect.

    Which search a trial comes from is seen by the model as one more unordered choice: if earlier
    results agree with the present ones they count almost like these, if not they fade. As soon as
    that can be told they are left out altogether where the present trials, each left out in turn,
    are predicted better without them.

    Args:
        coordinates: Coordinates of the space.
        history: Trials of the present search.
        earlier: The trials of each earlier search; all fit the space but may lack dimensions.
        seed: Seed of the fits.

    Returns:
        None if there are no two different scores, or nothing is searched.
    """
    if not coordinates.searched:
        return None
    alone = _learned(coordinates, [history], seed)
    if not any(earlier):
        return alone and alone[0]
    told = _learned(coordinates, [*earlier, history], seed)
    enough = sum(trial.succeeded for trial in history) >= ENOUGH
    if told and enough and alone and told[1] > min(alone[1], 1.0):
        return alone[0]
    return told and told[0]


def _learned(
    coordinates: Coordinates, searches: Sequence[Sequence[Trial]], seed: int
) -> tuple[Expectation, float] | None:
    """The expectation from these searches, and its error at the present one's trials.

    The error is that of predicting each from the others, as a share of their spread.
    """
    trials = [trial for search in searches for trial in search]
    ok = np.array([trial.succeeded for trial in trials], dtype=bool)
    source = np.repeat(np.arange(len(searches)), [len(search) for search in searches])
    targets = standardised(np.array([trial.score for trial in trials if trial.succeeded], float))
    if targets is None:
        return None
    points = coordinates.points(trial.proposal.params for trial in trials)
    columns = _columns(coordinates, points, len(searches), source)
    groups = coordinates.groups
    if len(searches) > 1:
        groups = np.append(groups, np.full(len(searches), groups.max() + 1))
    process = fitted(columns[ok], groups, targets, seed)
    present = source[ok] == len(searches) - 1
    mean = process.posterior(columns[ok], columns[:0])[0]
    learned = Expectation(
        coordinates=coordinates,
        process=process,
        works=None if ok.all() else _whether_it_works(columns, groups, ok, seed),
        failed=points[~ok & (source == len(searches) - 1)],
        sources=len(searches),
        leaders=points[ok][np.argsort(targets, kind="stable")],
        # The mean at the trials instead of their lowest score: noise is no record.
        best=float(mean[present].min() if present.any() else mean.min()),
        trials=len(trials),
    )
    return learned, _error(process, columns[ok][present], targets[present])


def _error(process: GaussianProcess, columns: Floats, targets: Floats) -> float:
    """Root mean square of predicting each target from all others, as a share of their spread."""
    spread = float(targets.std()) if len(targets) else 0.0
    if spread == 0:
        return np.inf
    return float(np.sqrt(np.mean(process.left_out(columns, targets) ** 2))) / spread


def _whether_it_works(columns: Floats, groups: Ints, ok: Floats, seed: int) -> Works:
    labels = 1.0 - ok
    mean, std = labels.mean(), labels.std()
    return Works(fitted(columns, groups, (labels - mean) / std, seed), (0.5 - mean) / std)


def _columns(coordinates: Coordinates, points: Floats, sources: int, source: int | Ints) -> Floats:
    """The columns of points, with those that tell from which search each comes."""
    columns = coordinates.columns(points)
    if sources == 1:
        return columns
    told = np.broadcast_to(
        np.asarray(source)[..., None] == np.arange(sources), (len(points), sources)
    )
    return np.concatenate([columns, told * APART * 0.5**0.5], axis=1)
