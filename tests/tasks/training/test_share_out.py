"""Which proposals one worker trains together."""

from __future__ import annotations

import pytest

from nettuner.models import learners
from nettuner.models.study import Proposal, Trial
from nettuner.tasks.training.share_out import fair_share, kind_of


def of(*hidden, first=0):
    return [Proposal(first + k, {"hidden": h}) for k, h in enumerate(hidden)]


def hidden(proposal):
    return proposal.params["hidden"]


def taken(waiting, running=(), width=1, most=64):
    return [p.number for p in fair_share(waiting, running, hidden, width, most)]


@pytest.mark.parametrize(
    ("width", "running", "numbers"),
    [
        (1, 0, [0, 2, 3, 5, 6]),  # all five of one kind
        (2, 0, [0, 2, 3]),  # 5 / 2, rounded up
        (2, 3, [0, 2, 3, 5]),  # (5 + 3) / 2: who waits counts beside who runs
        (5, 0, [0]),
        (9, 0, [0]),  # never none
    ],
)
def test_a_worker_gets_its_share_of_those_that_are_alike_in_their_order(width, running, numbers):
    waiting = of(4, 8, 4, 4, 8, 4, 4)
    assert taken(waiting, of(*[4] * running, first=7), width) == numbers


def test_others_that_run_count_for_nothing():
    assert taken(of(4, 4), of(8, 8, 8, 8, first=2), width=2) == [0]


def test_the_first_that_waits_decides_what_is_trained():
    assert taken(of(8, 4, 4, 4)) == [0]


def test_no_more_are_taken_than_a_stack_may_hold():
    assert taken(of(4, 4, 4, 4, 4), most=3) == [0, 1, 2]


def test_where_nothing_is_stacked_nobody_asks_what_is_alike():
    assert fair_share(of(4, 4), [], None, 1, 1) == of(4)


MLP = learners.find("mlp")


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
