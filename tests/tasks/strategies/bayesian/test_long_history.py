"""What is kept of a long history."""

from __future__ import annotations

import numpy as np

from nettuner.tasks.strategies.bayesian.long_history import thinned


def test_a_short_history_is_kept_whole():
    assert thinned(np.array([3.0, 1.0, 2.0]), 3).tolist() == [0, 1, 2]


def test_half_are_the_best_and_the_rest_reach_to_the_worst():
    targets = np.array([9.0, 8, 7, 6, 5, 4, 3, 2, 1, 0])
    # The best two are numbers 8 and 9; of the other eight, by score, the first and the last.
    assert thinned(targets, 4).tolist() == [0, 7, 8, 9]
