"""The model behind Bayesian search: its numbers agree with other ways to compute them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.stats import multivariate_normal
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from nettuner.tasks.strategies.bayesian import gaussian_process
from nettuner.tasks.strategies.bayesian.gaussian_process import GaussianProcess, fitted
from nettuner.tasks.strategies.bayesian.marginal_likelihood import JITTER, MarginalLikelihood
from nettuner.tasks.strategies.bayesian.targets import standardised
from nettuner.tasks.strategies.bayesian.trend import LEVEL, LEVEL_ALONE

GROUPS = np.array([0, 1, 1, 2])  # the second dimension has two columns


def data(n: int = 12) -> tuple[np.ndarray, np.ndarray]:
    columns = np.random.default_rng(0).random((n, 4))
    targets = standardised(np.sin(5 * columns[:, 0]) + columns[:, 1])
    assert targets is not None
    return columns, targets


def kernel_of(settings: np.ndarray) -> ConstantKernel:
    """The same kernel in scikit-learn's words."""
    lengths, (variance, noise) = np.exp(settings[:-2])[GROUPS], np.exp(settings[-2:])
    shape = ConstantKernel(variance) * Matern(lengths, nu=2.5)
    return shape + ConstantKernel(LEVEL) + WhiteKernel(noise + JITTER)


SETTINGS = [
    [-1.0, 0.0, 0.5, 0.0, -4.0],
    [1.0, -2.0, 3.0, 1.0, -9.0],
    [-3.0, -3.0, -3.0, -2.0, -1.0],
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_likelihood_is_the_density_of_a_normal_distribution(settings):
    columns, targets = data()
    density = MarginalLikelihood(columns, GROUPS, targets, 0.0, LEVEL_ALONE)
    settings = np.array(settings)
    other = density.likeliest + 0.1

    def by_hand(at: np.ndarray) -> float:
        # The prior's means: -1 plus half the logarithm of 3 dimensions, 0, log 1e-3.
        off = at - np.array([-1 + np.log(3) / 2] * 3 + [0, np.log(1e-3)])
        prior = -0.5 * np.sum((off / np.array([3**0.5] * 3 + [1, 3])) ** 2)
        covariance = kernel_of(at)(columns)
        return float(prior + multivariate_normal.logpdf(targets, cov=covariance))

    # Both up to the same constant.
    difference = density(settings)[0] - density(other)[0]
    assert difference == pytest.approx(by_hand(other) - by_hand(settings), rel=1e-6)


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_gradient_is_that_of_the_likelihood(settings):
    density = MarginalLikelihood(*(lambda c, t: (c, GROUPS, t, 0.0, LEVEL_ALONE))(*data()))
    settings = np.array(settings)
    error = check_grad(lambda x: density(x)[0], lambda x: density(x)[1], settings)
    assert error < 1e-4 * np.linalg.norm(density(settings)[1])


def test_known_noise_is_added_to_the_variance_of_its_target():
    columns, targets = data()
    known = np.linspace(0, 0.5, len(targets))
    density = MarginalLikelihood(columns, GROUPS, targets, known, LEVEL_ALONE)
    plain = MarginalLikelihood(columns, GROUPS, targets, 0.0, LEVEL_ALONE)
    settings, other = np.array(SETTINGS[0]), np.array(SETTINGS[2])

    def by_hand(at: np.ndarray) -> float:
        """What the noise changes; the priors are the same."""
        covariance = kernel_of(at)(columns)
        noisy = multivariate_normal.logpdf(targets, cov=covariance + np.diag(known))
        return float(multivariate_normal.logpdf(targets, cov=covariance) - noisy)

    change = density(settings)[0] - plain(settings)[0]
    assert change == pytest.approx(by_hand(settings), rel=1e-6)
    assert density(other)[0] - plain(other)[0] == pytest.approx(by_hand(other), rel=1e-6)
    error = check_grad(lambda x: density(x)[0], lambda x: density(x)[1], settings)
    assert error < 1e-4 * np.linalg.norm(density(settings)[1])


def test_no_known_noise_is_noise_of_zero_to_the_last_bit():
    columns, targets = data()
    without, zero = (
        fitted(columns, GROUPS, targets, 0, *known) for known in ((), (np.zeros(len(targets)),))
    )
    assert without.settings_.tobytes() == zero.settings_.tobytes()
    assert without.alpha_.tobytes() == zero.alpha_.tobytes()


def test_mean_and_deviation_with_known_noise_are_those_of_the_textbook():
    columns, targets = data()
    known = np.linspace(0, 0.5, len(targets))
    model = fitted(columns, GROUPS, targets, 0, known)
    asked, pending = np.random.default_rng(1).random((2, 20, 4))
    pending = pending[:3]
    seen = np.vstack([columns, pending])
    kernel = kernel_of(model.settings_)
    # What is pending will be as noisy as the others are on average: 0.25.
    inverse = np.linalg.inv(kernel(seen) + np.diag([*known, 0.25, 0.25, 0.25]))
    told = np.concatenate([targets, model.predict(pending)])
    across = kernel(asked, seen)
    mean, std = model.posterior(asked, pending)
    assert mean == pytest.approx(across @ inverse @ told, abs=1e-5)
    noiseless = np.exp(model.settings_[-2]) + LEVEL
    variance = noiseless - np.einsum("ij,jk,ik->i", across, inverse, across)
    assert std**2 == pytest.approx(variance, abs=1e-5)


def test_the_model_believes_a_noisy_score_less():
    # Five equal scores but for one that is far below, at the middle of a line.
    columns = np.linspace(0, 1, 5)[:, None]
    targets = standardised(np.array([1.0, 1.1, 0.0, 1.1, 1.0]))
    groups = np.array([0])
    sure, unsure = (
        fitted(columns, groups, targets, 0, np.array([0, 0, noise, 0, 0])) for noise in (0.0, 4.0)
    )
    assert sure.predict(columns)[2] == pytest.approx(targets[2], abs=0.2)
    # Its noise has twice the standard deviation of all scores: the others say more.
    assert unsure.predict(columns)[2] > targets[2] + 1


def test_settings_that_break_the_factorisation_are_no_likely_ones():
    columns, targets = data()
    density = MarginalLikelihood(np.zeros_like(columns), GROUPS, targets, 0.0, LEVEL_ALONE)
    value, _ = density(np.array([0.0, 0, 0, 60, -60]))
    assert value >= 1e9


def test_mean_and_deviation_are_those_of_the_textbook():
    columns, targets = data()
    model = fitted(columns, GROUPS, targets, seed=0)
    asked = np.random.default_rng(1).random((30, 4))
    mean, std = model.posterior(asked, columns[:0])
    kernel = kernel_of(model.settings_)
    inverse = np.linalg.inv(kernel(columns))
    across = kernel(asked, columns)
    assert mean == pytest.approx(across @ inverse @ targets, abs=1e-6)
    noiseless = np.exp(model.settings_[-2]) + LEVEL
    variance = noiseless - np.einsum("ij,jk,ik->i", across, inverse, across)
    assert std**2 == pytest.approx(variance, abs=1e-6)
    assert model.predict(asked, return_std=True)[1] == pytest.approx(std)


def test_believing_the_mean_at_pending_points_equals_telling_it():
    columns, targets = data()
    model = fitted(columns, GROUPS, targets, seed=0)
    asked, pending = np.random.default_rng(2).random((2, 20, 4))
    pending = pending[:3]
    mean, std = model.posterior(asked, pending)
    seen = np.vstack([columns, pending])
    told = np.concatenate([targets, model.predict(pending)])
    kernel = kernel_of(model.settings_)
    inverse = np.linalg.inv(kernel(seen))
    across = kernel(asked, seen)
    assert mean == pytest.approx(across @ inverse @ told, abs=1e-5)
    noiseless = np.exp(model.settings_[-2]) + LEVEL
    variance = noiseless - np.einsum("ij,jk,ik->i", across, inverse, across)
    assert std**2 == pytest.approx(variance, abs=1e-5)


def test_each_target_left_out_is_predicted_by_the_others():
    columns, targets = data()
    model = fitted(columns, GROUPS, targets, seed=0)
    kernel = kernel_of(model.settings_)
    errors = []
    for i in range(len(targets)):
        others = np.arange(len(targets)) != i
        inverse = np.linalg.inv(kernel(columns[others]))
        mean = kernel(columns[[i]], columns[others]) @ inverse @ targets[others]
        errors.append(targets[i] - mean[0])
    assert model.left_out(columns, targets) == pytest.approx(errors, abs=1e-5)


def test_noise_is_found_where_there_is_some():
    rng = np.random.default_rng(3)
    columns = rng.random((80, 2))
    clean = np.sin(4 * columns[:, 0])
    for deviation in (0.0, 0.5):
        targets = standardised(clean + deviation * rng.normal(size=80))
        assert targets is not None
        noise = np.exp(fitted(columns, np.arange(2), targets, 0).settings_[-1])
        # Of the variance, 0.25 / (0.25 + 0.1) is noise where there is some: about 0.7.
        assert (0.4 < noise < 1) if deviation else (noise < 1e-3)


def test_a_dimension_that_does_not_matter_gets_a_long_scale():
    columns, targets = data(40)
    lengths = fitted(columns, GROUPS, targets, seed=0).settings_[:3]
    assert lengths[2] > lengths[0] + 1  # the targets do not depend on the fourth column


def test_a_long_history_is_thinned(monkeypatch):
    monkeypatch.setattr(gaussian_process, "KEPT", 20)
    monkeypatch.setattr(gaussian_process, "FITTED", 10)
    columns, targets = data(60)
    model = GaussianProcess(GROUPS).fit(columns, targets)
    assert len(model.X_train_) == 20
    assert model.y_train_.min() == targets.min()
    assert np.isfinite(model.left_out(columns, targets)).all()
