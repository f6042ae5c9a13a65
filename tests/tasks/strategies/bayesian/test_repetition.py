"""What trials of one configuration tell of chance."""

from __future__ import annotations

import pytest

from nettuner.models.study import Proposal, Trial
from nettuner.tasks.strategies.bayesian.repetition import is_exact, is_noisy, plausible


def tried(*scores: tuple[int, float | None]) -> list[Trial]:
    """Trials of these configurations with these scores."""
    return [Trial(Proposal(k, {"x": x}), score) for k, (x, score) in enumerate(scores)]


@pytest.mark.parametrize(
    ("history", "noisy", "exact"),
    [
        (tried(), False, False),
        (tried((1, 0.5), (2, 0.5)), False, False),  # nothing was tried twice
        (tried((1, 0.5), (1, 0.5)), False, True),
        (tried((1, 0.5), (1, 0.6)), True, False),
        (tried((1, 0.5), (1, None)), False, False),  # one of the two failed
        (tried((1, 0.5), (1, 0.5), (2, 0.1), (2, 0.2)), True, False),
    ],
)
def test_a_configuration_that_was_tried_twice_tells_whether_chance_matters(history, noisy, exact):
    assert (is_noisy(history), is_exact(history)) == (noisy, exact)


def test_the_spread_of_a_trials_own_trainings_is_chance_too():
    assert is_noisy([Trial(Proposal(0, {"x": 1}), 2.0, scores=(1.0, 3.0))])
    assert not is_noisy([Trial(Proposal(0, {"x": 1}), 2.0, scores=(2.0, 2.0))])


def test_the_five_best_are_plausible_the_earlier_one_first():
    history = tried((1, 0.5), (2, 0.3), (3, None), (4, 0.3), (5, 0.9), (6, 0.1), (7, 0.8))
    assert [trial.number for trial in plausible(history)] == [5, 1, 3, 0, 6]
