"""What one more trial would teach, checked against the formula for two and against refitting."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nettuner.tasks.strategies.bayesian.gaussian_process import GaussianProcess
from nettuner.tasks.strategies.bayesian.knowledge import knowledge

LINE = np.array([[0.0], [0.3], [0.6], [1.0]])
SCORES = np.array([1.2, -1.0, -0.9, 0.7])


def process(known: float = 0.1) -> GaussianProcess:
    return GaussianProcess([0], known=known).fit(LINE, SCORES)


def test_a_trial_moves_the_means_by_its_shift():
    gp, asked = process(), np.array([[0.6]])
    places = np.array([[0.1], [0.6], [0.9]])
    mean, shifts = gp.shift(places, asked)
    shift = shifts[:, 0]
    # One trial more, one standard deviation of its outcome above its mean, with the same settings.
    std = gp.posterior(asked, asked[:0])[1][0]
    noise = math.exp(gp.settings_[-1]) + 0.1 + 1e-8
    outcome = gp.predict(asked)[0] + math.hypot(std, math.sqrt(noise))
    columns, scores = np.vstack([LINE, asked]), np.append(SCORES, outcome)
    matrix = gp.covariance(columns, columns) + noise * np.eye(5)
    expected = gp.covariance(places, columns) @ np.linalg.solve(matrix, scores)
    assert mean + shift == pytest.approx(expected, abs=1e-6)


def test_between_two_it_is_the_formula_of_the_normal_distribution():
    gp = process()
    tried, asked = LINE[1:2], np.array([[0.6]])
    mean, shifts = gp.shift(np.vstack([tried, asked]), asked)
    shift = shifts[:, 0]
    # E max(0, d + s Z) for the difference d of the means and its standard deviation s (Jones et
    # al. 1998, equation 15).
    d, s = mean[0] - mean[1], abs(shift[0] - shift[1])
    density = math.exp(-0.5 * (d / s) ** 2) / math.sqrt(2 * math.pi)
    share = 0.5 * (1 + math.erf(d / s / math.sqrt(2)))
    # 64 outcomes stand for all.
    assert knowledge(gp, tried, asked)[0] == pytest.approx(d * share + s * density, rel=0.02)


def test_another_trial_of_one_that_is_certain_teaches_nothing():
    worth = knowledge(process(known=0.0), LINE, np.array([[0.3], [0.45]]))
    assert worth[0] < 1e-3 < worth[1]


def test_noise_makes_another_trial_of_the_best_worth_more():
    loud, calm = (knowledge(process(known), LINE, LINE[1:2])[0] for known in (0.3, 0.0))
    assert loud > 10 * calm
