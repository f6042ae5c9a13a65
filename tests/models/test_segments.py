"""Segments of a network are one trial to people."""

from __future__ import annotations

from nettuner.models.curve import Point
from nettuner.models.segments import best_of_each, joined
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


def test_a_network_has_the_score_of_its_last_segment_and_the_cost_of_all():
    network, other = joined([WORSE, FIRST, OTHER, BETTER])
    assert (network.number, network.score, network.rounds, network.seconds) == (3, 0.5, 6, 3.0)
    assert [point.round for point in network.curve] == [2, 4, 6]
    assert other == OTHER


def test_a_last_segment_that_failed_fails_the_network():
    (network,) = joined([OTHER, BROKEN])
    assert (network.score, network.reason, network.rounds) == (None, "it broke", 4)


def test_or_it_has_the_score_of_its_best_segment():
    network, other = best_of_each([FIRST, OTHER, BETTER, WORSE, BROKEN])
    assert (network.number, network.score, network.rounds) == (2, 0.25, 6)
    assert (other.number, other.score, other.rounds) == (1, 0.75, 4)


def test_whole_trials_stay_as_they_are():
    whole = [Trial(Proposal(k, {}), 0.5) for k in range(3)]
    assert joined(whole) == best_of_each(whole) == whole
