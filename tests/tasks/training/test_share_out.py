"""Which proposals are trained together."""

from __future__ import annotations

import pytest

from nettuner.models import learners
from nettuner.models.study import Proposal, Trial
from nettuner.tasks.training.share_out import kind_of, share_out


def of(*hidden, first=0):
    return [Proposal(first + k, {"hidden": h}) for k, h in enumerate(hidden)]


def hidden(proposal):
    return proposal.params["hidden"]


def shares(waiting, width=1, most=64):
    groups = share_out(waiting, hidden, width, most)
    return [[proposal.number for proposal in group] for group in groups]


@pytest.mark.parametrize(
    ("width", "groups"),
    [
        (1, [[0, 2, 3, 5, 6], [1, 4]]),  # five of one kind, two of the other
        (2, [[0, 2, 3], [1], [4], [5, 6]]),  # 5 / 2, rounded up; 2 / 2
        (5, [[0], [1], [2], [3], [4], [5], [6]]),
        (9, [[0], [1], [2], [3], [4], [5], [6]]),  # never none
    ],
)
def test_those_that_are_alike_are_shared_out_equally_in_the_order_of_the_first(width, groups):
    assert shares(of(4, 8, 4, 4, 8, 4, 4), width) == groups


def test_no_more_are_together_than_a_stack_may_hold():
    assert shares(of(4, 4, 4, 4, 4), most=3) == [[0, 1, 2], [3, 4]]


def test_where_nothing_is_stacked_nobody_asks_what_is_alike():
    first, second = of(4, 4)
    assert share_out([first, second], None, 1, 1) == [[first], [second]]


MLP = learners.find("mlp").structural()


def segment(hidden=4, learning_rate=0.1, until=3):
    return Proposal(9, {"hidden": hidden, "learning_rate": learning_rate}, 5, 1, until)


def trained(until):
    return Trial(Proposal(5, {}, None, 1, until), 0.5)


def test_alike_are_those_of_one_structure_that_begin_and_end_at_the_same_round():
    assert kind_of(MLP, segment(), trained(2)) == (3, 2, ("hidden", 4))
    assert kind_of(MLP, segment(learning_rate=0.2), trained(2)) == (3, 2, ("hidden", 4))
    assert kind_of(MLP, segment(hidden=8), trained(2)) == (3, 2, ("hidden", 8))
    assert kind_of(MLP, segment(until=4), trained(2)) == (4, 2, ("hidden", 4))
    assert kind_of(MLP, segment(), trained(1)) == (3, 1, ("hidden", 4))
    assert kind_of(MLP, segment(), None) == (3, None, ("hidden", 4))
