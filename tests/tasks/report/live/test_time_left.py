"""The time left: what is left at the pace so far; nothing is said before enough is known."""

from __future__ import annotations

import pytest

from nettuner.tasks.report.live.time_left import (
    Work,
    spoken,
    told,
    work_of_halving,
    work_of_rounds,
    work_of_trials,
)

# Trials


def test_six_trials_and_two_halves_in_70_seconds_leave_130_seconds_for_13_of_20():
    work = work_of_trials(trials=20, ended=6, before=0, in_flight=2, seconds=70)
    assert (work.done, work.left) == (7, 13)
    assert work.seconds_left == 130


def test_trials_from_before_a_resume_say_nothing_of_the_pace_and_are_not_left():
    work = work_of_trials(trials=20, ended=6, before=10, in_flight=2, seconds=70)
    assert (work.done, work.left) == (7, 3)
    assert work.seconds_left == 30


def test_nothing_is_said_before_two_trials_ended_for_each_in_flight():
    assert work_of_trials(20, 7, 0, 4, 90).seconds_left is None
    assert work_of_trials(20, 8, 0, 4, 100).seconds_left == 100  # 10 of 20 in 100 s


# Rounds


def test_rounds_in_flight_count_and_a_trial_that_has_not_begun_is_taken_for_the_mean():
    # Three of 10 rounds, two at 4 and 6: 40 rounds in 80 s. Left are 6 + 4 + 5 x 10 = 60.
    work = work_of_rounds(10, 3, 0, 30, 10, [4, 6], 80)
    assert (work.done, work.left) == (40, 60)
    assert work.seconds_left == 120


def test_trials_that_end_early_make_those_that_have_not_begun_shorter():
    # Ten trials of 20 rounds trained 50 of 200, so 5 each: 10 more are 50 more.
    assert work_of_rounds(20, 10, 0, 50, 20, [], 100).seconds_left == 100


def test_a_stack_of_all_trials_tells_its_time_before_any_has_ended():
    # 64 at 3 of 12 rounds in 30 s: a quarter.
    assert work_of_rounds(64, 0, 0, 0, 12, [3] * 64, 30).seconds_left == 90


def test_the_search_that_was_said_to_take_89_minutes_is_not_guessed_from_its_first_rounds():
    # 180 trials of 10 rounds, width 2; the first rounds took long, as workers had just begun.
    assert work_of_rounds(180, 0, 0, 0, 10, [1, 1], 6).seconds_left is None
    assert work_of_rounds(180, 1, 0, 10, 10, [5, 1], 10).seconds_left is None
    # 100 rounds, as of ten trials, in 8.4 s: 1,700 are left.
    left = work_of_rounds(180, 10, 0, 100, 10, [], 8.4).seconds_left
    assert left == pytest.approx(142.8)
    assert told(left, None, False) == "about 2 min left"


# Halving


def test_networks_that_have_not_begun_are_taken_for_those_that_have():
    # 12 of 24 networks trained 60 rounds, 5 each; all 24 then train 120, more than the fewest.
    work = work_of_halving(24, 12, 52, 0, 90, [(3, 9), (5, 9)], 30)
    assert (work.done, work.left) == (60, 60)
    assert work.seconds_left == 30


def test_as_long_as_none_has_gone_on_the_strategy_says_how_much_is_left():
    # 9 of 27 trained one round each; the best are going to train more: 81 in all, not 27.
    work = work_of_halving(27, 9, 9, 0, 81, [], 9)
    assert (work.done, work.left) == (9, 72)
    assert work.seconds_left is None  # not yet a quarter
    assert work_of_halving(27, 18, 27, 0, 81, [], 27).seconds_left == 54


def test_what_is_in_flight_is_left_where_more_was_trained_than_expected():
    assert work_of_halving(9, 9, 30, 0, 27, [(2, 9)], 32).left == 7


def test_rounds_from_before_a_resume_say_nothing_of_the_pace():
    # 40 of 60 rounds were trained before, 10 since, in 20 s: 10 are left.
    assert work_of_halving(12, 12, 50, 40, 60, [], 20).seconds_left == 20


# Words


def test_five_seconds_are_too_short_to_say_anything():
    assert Work(done=50, left=50, training=1, seconds=4.9).seconds_left is None
    assert Work(done=50, left=50, training=1, seconds=5.0).seconds_left == 5


def test_nothing_was_done_so_nothing_is_said():
    assert Work(done=0, left=0, training=1, seconds=60).seconds_left is None


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "a few seconds"),
        (6.9, "a few seconds"),
        (8, "10 s"),
        (37, "45 s"),  # 30 x 45 is 36.7 squared
        (36, "30 s"),
        (70, "1 min"),
        (80, "1.5 min"),
        (142.8, "2 min"),
        (500, "7 min"),
        (5000, "1.5 h"),
        (3000, "45 min"),
        (90_000, "24 h"),
        (200_000, "3 days"),
    ],
)
def test_a_time_is_told_as_the_nearest_of_a_few_steps(seconds, said):
    assert spoken(seconds) == said


def test_a_rule_that_may_end_the_search_before_makes_it_at_most_so_long():
    assert told(120, None, True) == "at most about 2 min left"
    assert told(3, None, False) == "a few seconds left"
    assert told(None, None, True) == ""


def test_a_limit_of_time_is_told_where_it_comes_first_or_nothing_else_is_known():
    assert told(600, 120, False) == "new trials for 2 min at most"
    assert told(None, 120, False) == "new trials for 2 min at most"
    assert told(60, 120, False) == "about 1 min left"
