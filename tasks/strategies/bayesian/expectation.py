"""The surrogate model of a history: score, probability of success, acquisition function."""

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
from nettuner.tasks.strategies.bayesian.knowledge import knowledge
from nettuner.tasks.strategies.bayesian.targets import in_units, noise_of
from nettuner.tasks.strategies.bayesian.trend import Trend
from nettuner.tasks.strategies.bayesian.warping import warped

# Weight of the prior distributions, in trials.
PULL = 2.0
# Earlier searches are used without a check until so many trials of this one have succeeded.
ENOUGH = 3
# Scores that are expected to differ by less, in standard deviations of all, are not told apart.
ALIKE = 0.03
# Number of points with the lowest means; with one of them a search may answer after another trial.
ANSWERS = 50
# Distance of the same configuration in two searches, as a share of an axis.
APART = 0.25


@dataclass(frozen=True)
class Expectation:
    """Surrogate models fitted to a history; see `expect`.

    Args:
        coordinates: Coordinates of the space.
        process: Gaussian process of the scores.
        works: Model of whether trials fail; None where none did.
        failed: Points of the present search's failed trials; shape [m, dimensions].
        sources: Number of searches that the trials come from; the present one is the last.
        leaders: Points of all trials with a score, the best first; shape [n, dimensions].
        own: Points of the present search's trials with a score; shape [n, dimensions].
        best: Lowest posterior mean at any trial of the present search.
        trials: Number of trials in the data.
    """

    coordinates: Coordinates
    process: GaussianProcess
    works: Works | None
    failed: Floats
    sources: int
    leaders: Floats
    own: Floats
    best: float
    trials: int

    def columns(self, points: Floats) -> Floats:
        """Inputs of the models for configurations of the present search."""
        return _columns(self.coordinates, points, self.sources, self.sources - 1)

    def mean(self, points: Floats) -> Floats:
        """Posterior mean of points, lower is better; shape [n]."""
        columns = self.columns(points)
        found: Floats = self.process.posterior(columns, columns[:0])[0]
        return found

    def again(self, point: Floats, most: int) -> Floats | None:
        """A point of this search that is worth another trial more than a new point is its first.

        Args:
            point: New point, shape [dimensions].
            most: Number of points, those with the lowest means, that may be tried again.

        Returns:
            None where the new point is worth more, or no trial has a score.
        """
        if not len(self.own):
            return None
        tried = np.unique(self.own, axis=0)
        tried = tried[np.argsort(self.mean(tried), kind="stable")[:ANSWERS]]
        best = tried[:most]
        asked = np.concatenate([best, point[None]])
        worth = knowledge(self.process, self.columns(tried), self.columns(asked))
        place = int(np.argmax(worth))
        return best[place] if place < len(best) and worth[place] > worth[-1] else None

    def tells_apart(self, point: Floats, pending: Floats) -> bool:
        """Whether the score of a point may differ from those of all tried and pending ones.

        Args:
            point: Point, shape [dimensions].
            pending: Points of pending proposals, shape [m, dimensions].
        """
        others = self.columns(np.concatenate([self.own, self.failed, pending]))
        differences = self.process.differences(self.columns(point[None]), others)
        return bool((differences > ALIKE).all())

    def promise(self, points: Floats, pending: Floats, explore: float) -> Floats:
        """Acquisition function of points, larger is better; shape [n].

        The logarithm of: expected improvement, times the probability of success, times the prior
        density to a power that decreases with the number of trials (Hvarfner et al. 2022,
        arXiv:2204.11051). If `explore` is 0 the negative mean replaces the first term.

        A failed trial has no score; like a pending one it is believed to have the expected score,
        which takes away the uncertainty around it ("kriging believer").

        Args:
            points: Points to evaluate, shape [n, dimensions].
            pending: Points of pending proposals, shape [m, dimensions].
            explore: Factor of the model's standard deviation; 0 exploits only.
        """
        columns, flying = self.columns(points), self.columns(pending)
        believed = np.concatenate([flying, self.columns(self.failed)])
        mean, std = self.process.posterior(columns, believed)
        if explore:
            best = self.best
            if len(flying):  # their expected scores would be no improvement
                best = min(best, float(self.process.predict(flying).min()))
            gain = log_expected_improvement(mean, explore * std, best)
        else:
            gain = -mean
        if self.works is not None:
            gain = gain + self.works.log_probability(columns)
        return gain + PULL / (1 + self.trials) * self.coordinates.log_prior(points)


@dataclass(frozen=True)
class Works:
    """Model of failures: a Gaussian process fitted to 0 for success and 1 for failure.

    Args:
        process: Gaussian process of these labels, standardised.
        half: Standardised value of 1/2.
    """

    process: GaussianProcess
    half: float

    def log_probability(self, columns: Floats) -> Floats:
        """Log probability that the label is below 1/2, which is success."""
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
    """Fit the surrogate models to a history and to those of earlier searches.

    The search that a trial comes from is one more unordered choice for the model: earlier results
    count almost like the present ones if they agree, and less if they do not. They are left out
    where the leave-one-out error of the present trials is smaller without them.

    Args:
        coordinates: Coordinates of the space.
        history: Trials of the present search.
        earlier: Trials of each earlier search; all fit the space but may lack dimensions.
        seed: Seed of the fits.

    Returns:
        None if there are no two different scores, or no dimension to search.
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
    """Models fitted to these searches, and their error at the present one's trials.

    The error is the leave-one-out error as a share of the scores' standard deviation.
    """
    trials = [trial for search in searches for trial in search]
    ok = np.array([trial.succeeded for trial in trials], dtype=bool)
    source = np.repeat(np.arange(len(searches)), [len(search) for search in searches])
    scored = [trial for trial in trials if trial.succeeded]
    found = in_units(np.array([trial.score for trial in scored], float))
    if found is None:
        return None
    targets, half_unit = found
    known = noise_of([trial.standard_error for trial in scored], half_unit)
    points = coordinates.points(trial.proposal.params for trial in trials)
    columns = _columns(coordinates, points, len(searches), source)
    groups = coordinates.groups
    if len(searches) > 1:
        groups = np.append(groups, np.full(len(searches), groups.max() + 1))
    trend = Trend(coordinates.positions, coordinates.absences)
    targets, known = warped(columns[ok], groups, targets, known, trend)
    process = fitted(columns[ok], groups, targets, seed, known, trend)
    present = source[ok] == len(searches) - 1
    mean = process.posterior(columns[ok], columns[:0])[0]
    learned = Expectation(
        coordinates=coordinates,
        process=process,
        works=None if ok.all() else _whether_it_works(columns, groups, ok, seed),
        failed=points[~ok & (source == len(searches) - 1)],
        sources=len(searches),
        leaders=points[ok][np.argsort(targets, kind="stable")],
        own=points[ok][present],
        # The posterior mean instead of the lowest score, which may be noise.
        best=float(mean[present].min() if present.any() else mean.min()),
        trials=len(trials),
    )
    return learned, _error(process, columns[ok][present], targets[present])


def _error(process: GaussianProcess, columns: Floats, targets: Floats) -> float:
    """Leave-one-out root mean square error, as a share of the targets' standard deviation."""
    spread = float(targets.std()) if len(targets) else 0.0
    if spread == 0:
        return np.inf
    return float(np.sqrt(np.mean(process.left_out(columns, targets) ** 2))) / spread


def _whether_it_works(columns: Floats, groups: Ints, ok: Floats, seed: int) -> Works:
    labels = 1.0 - ok
    mean, std = labels.mean(), labels.std()
    return Works(fitted(columns, groups, (labels - mean) / std, seed), (0.5 - mean) / std)


def _columns(coordinates: Coordinates, points: Floats, sources: int, source: int | Ints) -> Floats:
    """The columns of points, and one column for each search that they may come from."""
    columns = coordinates.columns(points)
    if sources == 1:
        return columns
    told = np.broadcast_to(
        np.asarray(source)[..., None] == np.arange(sources), (len(points), sources)
    )
    return np.concatenate([columns, told * APART * 0.5**0.5], axis=1)
