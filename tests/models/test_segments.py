"""Segments of a network are one trial to people."""

from __future__ import annotations

from nettuner.models.curve import Point
from nettuner.models.segments import best_of_each
from nettuner.models.study import Proposal, Trial


def segment(number, member, until, score, parent=None, reason=None):
    proposal = Proposal(number, {"x": member}, parent, member, until)
    point = (Point(until, score, 0.5),) if score is not None else ()
    return Trial(proposal, score, reason, seconds=1.0, rounds=2, curve=point)


FIRST = segment(0, 0, 2, 0.5)
OTHER = segment(1, 1, 2, 0.75)
BETTER = segment(2, 0, 4, 0.25, parent=0)
WORSE = segment(3, 0, 6, 0.5, parent=2)
BROKEN = segment(4, 1, 4, None, parent=1, reason="it broke")


def test_a_network_has_the_score_of_its_best_segment_and_the_cost_of_all():
    network, other = best_of_each([WORSE, FIRST, OTHER, BETTER, BROKEN])
    assert (network.number, network.score, network.rounds, network.seconds) == (2, 0.25, 6, 3.0)
    assert [point.round for point in network.curve] == [2, 4, 6]
    assert (other.number, other.score, other.rounds) == (1, 0.75, 4)


def test_one_of_which_no_segment_succeeded_failed():
    (network,) = best_of_each([BROKEN])
    assert (network.number, network.score, network.reason) == (4, None, "it broke")


def test_whole_trials_stay_as_they_are():
    whole = [Trial(Proposal(k, {}), 0.5) for k in range(3)]
    assert best_of_each(whole) == whole
