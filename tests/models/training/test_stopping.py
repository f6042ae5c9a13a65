"""Each stop rule is met exactly at its limit, and the first of those that are met is told."""

from __future__ import annotations

import math

import pytest

from nettuner.models.study import Goal, Proposal, Stop, Trial, best
from nettuner.models.training.stopping import reason_to_give_up, reason_to_stop

LOSS = Goal("loss", "minimize")
ACCURACY = Goal("accuracy", "maximize")
FAILED = None


def ended(*scores):
    """Trials 0, 1, 2 ... in the order in which they ended; a score of None has failed."""
    return [
        Trial(Proposal(number, {}), score, None if score is not None else f"fault {number}")
        for number, score in enumerate(scores)
    ]


def reason(stop, history, goal=LOSS, seconds=0.0):
    return reason_to_stop(Stop(**stop), goal, history, best(history), seconds)


def rule(*given, **named):
    """The key of the rule that is met, which its reason ends with; None while none is."""
    told = reason(*given, **named)
    return told and told.rpartition("(")[2].removesuffix(")")


@pytest.mark.parametrize(
    ("seconds", "met"),
    [(0.0, None), (59.999, None), (60.0, "stop.seconds"), (60.001, "stop.seconds")],
)
def test_time_is_up_at_the_limit_and_not_before(seconds, met):
    assert rule({"seconds": 60}, ended(0.5), seconds=seconds) == met


def test_time_is_up_whether_or_not_a_trial_succeeded():
    assert rule({"seconds": 60}, [], seconds=60) == "stop.seconds"
    assert rule({"seconds": 60}, ended(FAILED), seconds=60) == "stop.seconds"


@pytest.mark.parametrize(
    ("loss", "met"), [(0.26, None), (0.25, "stop.target"), (0.24, "stop.target")]
)
def test_a_metric_to_minimise_reaches_its_target_from_above(loss, met):
    assert rule({"target": 0.25}, ended(0.9, loss, 0.8)) == met


@pytest.mark.parametrize(
    ("accuracy", "met"), [(0.74, None), (0.75, "stop.target"), (0.76, "stop.target")]
)
def test_a_metric_to_maximise_reaches_its_target_from_below(accuracy, met):
    history = ended(*(ACCURACY.score({"accuracy": value}) for value in (0.1, accuracy, 0.2)))
    assert rule({"target": 0.75}, history, ACCURACY) == met


def test_a_target_of_zero_is_a_target():
    assert rule({"target": 0}, ended(0.1)) is None
    assert rule({"target": 0}, ended(0.0)) == "stop.target"


@pytest.mark.parametrize(
    ("scores", "met"),
    [
        ([0.5], None),
        ([0.5, 0.6, 0.7], None),  # two since the best, one below the limit
        ([0.5, 0.6, 0.7, 0.8], "stop.patience"),
        ([0.5, 0.6, 0.7, 0.8, 0.9], "stop.patience"),
        ([0.5, 0.6, 0.7, 0.4], None),  # a new best begins the count anew
        ([0.5, 0.6, 0.7, 0.4, 0.6, 0.6], None),
        ([0.5, 0.6, 0.7, 0.4, 0.6, 0.6, 0.6], "stop.patience"),
        ([0.5, 0.5, 0.5, 0.5], "stop.patience"),  # as good as the best is no new best
        ([0.5, FAILED, FAILED, FAILED], "stop.patience"),  # nor is a failure
        ([0.5, math.inf, math.nan, FAILED], "stop.patience"),
        ([FAILED, FAILED, FAILED, 0.5], None),  # what came before the best does not count
    ],
)
def test_patience_counts_the_trials_since_the_best(scores, met):
    assert rule({"patience": 3}, ended(*scores)) == met


def test_a_patience_of_one_ends_with_the_first_trial_that_is_no_new_best():
    assert rule({"patience": 1}, ended(0.5)) is None
    assert rule({"patience": 1}, ended(0.5, 0.4)) is None
    assert rule({"patience": 1}, ended(0.5, 0.6)) == "stop.patience"


def test_patience_counts_in_the_order_in_which_trials_ended_not_in_that_of_their_numbers():
    zero, one, two = ended(0.3, 0.5, 0.6)
    assert rule({"patience": 2}, [one, two, zero]) is None
    assert rule({"patience": 2}, [zero, two, one]) == "stop.patience"


@pytest.mark.parametrize("scores", [[], [FAILED] * 5, [math.inf, math.nan] * 3])
def test_without_a_success_neither_target_nor_patience_is_met(scores):
    assert rule({"target": math.pi, "patience": 1}, ended(*scores), seconds=1e9) is None


@pytest.mark.parametrize(
    ("without", "met"),
    [
        ((), "stop.seconds"),
        (("seconds",), "stop.target"),
        (("seconds", "target"), "stop.patience"),
        (("seconds", "target", "patience"), None),
    ],
)
def test_of_several_rules_that_are_met_time_is_told_before_target_before_patience(without, met):
    stop = {"seconds": 60, "target": 0.5, "patience": 2}
    given = {key: value for key, value in stop.items() if key not in without}
    assert rule(given, ended(0.5, 0.6, 0.6), seconds=60) == met


def test_a_rule_that_is_not_met_leaves_it_to_those_after_it():
    stop = {"seconds": 60, "target": 0.4, "patience": 2}
    assert rule(stop, ended(0.5, 0.6, 0.6), seconds=59) == "stop.patience"
    assert rule(stop, ended(0.4, 0.6), seconds=59) == "stop.target"


def test_no_rule_is_met_where_none_is_given():
    assert rule({}, ended(0.5, *[0.6] * 100), seconds=1e9) is None


def test_the_number_of_trials_is_no_rule_of_these():
    assert rule({"trials": 2}, ended(0.5, 0.6, 0.7)) is None


@pytest.mark.parametrize(
    ("stop", "seconds", "figure"),
    [
        ({"seconds": 0.5}, 0.7, "0.5 s"),
        ({"target": 0.75}, 0, "accuracy reached 0.75 "),
        ({"patience": 2}, 0, "2 trials"),
    ],
)
def test_the_reason_tells_the_limit_that_was_met(stop, seconds, figure):
    assert figure in reason(stop, ended(-0.8, -0.1, -0.1), ACCURACY, seconds)


# A resumed search: its history and its time so far count as if it had never been interrupted.


def test_a_resumed_search_whose_target_was_reached_ends_at_once():
    assert rule({"target": 0.25}, ended(0.2, 0.9)) == "stop.target"


def test_patience_goes_on_where_it_was_when_a_search_is_resumed():
    before = ended(0.5, 0.6, 0.7)
    assert rule({"patience": 3}, before) is None
    after = Trial(Proposal(3, {}), 0.8)
    assert rule({"patience": 3}, [*before, after]) == "stop.patience"


# Giving up.


def gives_up(failures, *scores):
    return reason_to_give_up(Stop(failures=failures), ended(*scores)) is not None


@pytest.mark.parametrize(
    ("scores", "given_up"),
    [
        ([], False),
        ([FAILED], False),
        ([FAILED] * 2, False),
        ([FAILED] * 3, True),
        ([FAILED] * 4, True),
        ([0.5, FAILED, FAILED], False),
        ([0.5, FAILED, FAILED, FAILED], True),
        ([FAILED, FAILED, 0.5, FAILED], False),  # three in all, only one after the success
        ([FAILED, FAILED, FAILED, 0.5], False),  # a success makes up for all before it
        ([0.1, 0.5, FAILED, 0.9, FAILED, FAILED], False),  # however bad it is
        ([math.nan, math.inf, FAILED], True),  # no success is what cannot be compared
    ],
)
def test_three_failures_in_a_row_after_the_latest_success_are_enough(scores, given_up):
    assert gives_up(3, *scores) == given_up


def test_one_failure_is_enough_where_one_is_allowed():
    assert not gives_up(1)
    assert not gives_up(1, FAILED, 0.5)
    assert gives_up(1, 0.5, FAILED)


def test_ten_failures_in_a_row_are_enough_where_nothing_is_said():
    assert reason_to_give_up(Stop(), ended(*[FAILED] * 9)) is None
    assert reason_to_give_up(Stop(), ended(*[FAILED] * 10)) is not None


def test_failures_of_a_search_that_is_resumed_count_with_those_before():
    before = ended(0.5, FAILED, FAILED)
    assert reason_to_give_up(Stop(failures=3), before) is None
    after = Trial(Proposal(3, {}), None, "fault 3")
    assert reason_to_give_up(Stop(failures=3), [*before, after]) is not None


def test_the_reason_to_give_up_tells_how_many_failed_and_why_the_last_one_did():
    told = reason_to_give_up(Stop(failures=3), ended(0.5, *[FAILED] * 4))
    assert told.startswith("4 trials in a row failed (stop.failures)")
    assert told.endswith("fault 4")
