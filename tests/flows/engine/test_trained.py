"""The best so far is a curve over what was trained in all."""

import pytest

from nettuner.flows.engine.search import trained
from nettuner.models.study import Proposal, Trial


@pytest.mark.parametrize(("rounds", "total"), [([3, 5], 8), ([0, 0], 2), ([], 0)])
def test_rounds_are_counted_and_trials_where_there_are_none(rounds, total):
    history = [Trial(Proposal(k, {}), 0.5, rounds=each) for k, each in enumerate(rounds)]
    assert trained(history) == total
