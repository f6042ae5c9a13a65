"""Random search draws each trial on its own."""

from __future__ import annotations

import numpy as np
import pytest

from nettuner.models.space import Space
from nettuner.models.study import Proposal, Trial
from nettuner.tasks.strategies.random_search import RandomSearch

SPACE = Space.model_validate(
    {
        "lr": {"distribution": "log-uniform", "low": 1e-5, "high": 1e-1},
        "units": {"distribution": "integer", "low": 1, "high": 3},
    }
)


def proposals(width: int, total: int) -> list[Proposal]:
    history: list[Trial] = []
    while len(history) < total:
        batch = RandomSearch(seed=0).propose(SPACE, history, [], width)
        history += [Trial(proposal, 0.0) for proposal in batch]
    return [trial.proposal for trial in history]


@pytest.mark.parametrize("width", [1, 3, 12])
def test_width_does_not_change_the_trials(width):
    assert proposals(width, total=12) == proposals(12, total=12)


def test_trial_k_is_the_draw_of_seed_and_k():
    seventh = RandomSearch(seed=5).propose(SPACE, [], [], 8)[7]
    assert seventh.params == SPACE.sample(np.random.default_rng([5, 7]))


def test_log_scale_spends_a_quarter_of_its_draws_in_each_of_four_decades():
    drawn = RandomSearch(seed=0).propose(SPACE, [], [], 4000)
    lr = np.array([proposal.params["lr"] for proposal in drawn])
    per_decade = np.histogram(np.log10(lr), bins=[-5, -4, -3, -2, -1])[0]
    # Binomial(4000, 1/4): sd 27.4. Six of them fail by chance about once in 10^8 runs.
    assert np.all(np.abs(per_decade - 1000) < 6 * 27.4)


def test_the_ends_of_an_integer_are_as_likely_as_its_middle():
    drawn = RandomSearch(seed=1).propose(SPACE, [], [], 3000)
    counts = np.bincount([proposal.params["units"] for proposal in drawn])[1:]
    # Binomial(3000, 1/3): sd 25.8. Six of them fail by chance about once in 10^8 runs.
    assert np.all(np.abs(counts - 1000) < 6 * 25.8)


def test_two_dimensions_are_drawn_independently():
    drawn = RandomSearch(seed=2).propose(SPACE, [], [], 2000)
    rows = [(np.log(proposal.params["lr"]), proposal.params["units"]) for proposal in drawn]
    # The correlation of 2000 independent pairs has sd 0.0224; six: once in 10^8 runs.
    assert abs(np.corrcoef(np.array(rows).T)[0, 1]) < 6 * 0.0224


def test_it_never_ends():
    assert RandomSearch(seed=0).size(SPACE) is None
