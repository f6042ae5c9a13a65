"""The parts of `make bench-early`: curves that are looked up, traces, and what is made of them."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parent))

import early_ours
from early_regrets import mean_after, ratios, regret_after, until
from early_spaces import SPACES, grid, levels
from early_tables import Curve, Table, load, names, regret
from early_trace import Trace

ROWS = [{"x": 1}, {"x": 2}, {"x": 3}]
SPACE = {"x": levels(1, 2, 3)}
# The lowest scores are 1, 2 and 4: the optimum is 1, the median 2.
SCORE = np.array([[3.0, 1.0, 2.0], [2.0, 3.0, 3.0], [4.0, 5.0, np.nan]])


@pytest.fixture
def table():
    return Table("three", SPACE, ROWS, SCORE, seconds=np.array([1.0, 2.0, 3.0]))


def test_regret_is_0_for_the_lowest_score_of_the_table_and_1_for_that_of_the_median(table):
    assert [regret(table, score) for score in (1.0, 1.5, 2.0, 4.0)] == [0.0, 0.5, 1.0, 3.0]


def test_a_search_gets_each_row_once_the_nearest_that_is_left_first(table):
    look_up = table.look_up()
    assert [look_up({"x": 1}).params["x"] for _ in range(3)] == [1, 2, 3]
    assert look_up({"x": 1}) is None
    assert table.look_up()({"x": 1}).params["x"] == 1  # another search


def test_a_training_ends_with_the_first_round_without_a_score():
    curve = Curve({}, SCORE[2], np.ones(3))
    assert (curve.end(2), curve.end(3)) == (2, 3)
    assert Curve({}, np.array([1.0, np.nan, np.nan]), np.ones(3)).end(3) == 2


def test_a_trace_has_rounds_seconds_and_regret_at_each_improvement(table):
    trace, look_up = Trace(table, horizon=5), table.look_up()
    trace.train(look_up({"x": 2}), 0, 2)  # scores 2, 3 in 2 s each: regret 1
    assert not trace.is_over
    trace.train(look_up({"x": 1}), 0, 2)  # scores 3, 1 in 1 s each: regret 0
    assert trace.is_over
    assert trace.answer()["steps"] == [(1, 2.0, 1.0), (4, 6.0, 0.0)]


RUN = {"steps": [[1, 2.0, 1.5], [4, 6.0, 0.04]]}


def test_until_a_search_has_seen_anything_better_its_regret_is_that_of_the_median():
    assert [regret_after(RUN, rounds) for rounds in (0, 3, 4, 9)] == [1.0, 1.0, 0.04, 0.04]


def test_what_is_trained_until_so_little_regret_is_left():
    assert until(RUN, 0.05) == 4
    assert until(RUN, 0.05, seconds=True) == 6.0
    assert until(RUN, 0.01) == math.inf


def test_the_standard_error_of_a_mean_over_problems_is_over_the_seeds():
    one, other = {"steps": [[1, 1.0, 0.0]]}, {"steps": [[1, 1.0, 0.2]]}
    # Two seeds of one problem differ by 0.2: their mean has a standard error of 0.1; the other
    # problem has none, and the mean of both problems has half of it.
    found = mean_after({"p": [one, other], "q": [one, one]}, 1)
    assert found == pytest.approx((0.05, 0.05))


def test_a_cost_is_divided_by_that_of_the_best_opponent_of_the_problem():
    def run(rounds):
        return [{"steps": [[rounds, float(rounds), 0.05]]}]

    never = [{"steps": [[1, 1.0, 0.5]]}]
    runs = {
        "p": {"us": run(10), "a": run(40), "b": run(20)},
        "q": {"us": never, "a": run(40), "b": never},
        "r": {"us": run(10), "a": never, "b": never},
        "s": {"us": never, "a": never, "b": never},
    }
    found = ratios(runs, "us", ["a", "b"], 0.1)
    assert found == {"p": (0.5, "b"), "q": (math.inf, "a"), "r": (0.0, "a")}


# Halving goes on with the second row, which leads after one round, and so has the median's score.
@pytest.mark.parametrize(
    ("search", "left"),
    [("freeze_thaw", 0.0), ("successive_halving", 1.0), ("random_in_full", 0.0)],
)
def test_our_searches_train_no_round_twice_and_end_with_the_best_that_they_saw(search, left, table):
    trace = Trace(table, horizon=100)
    strategy = early_ours.STRATEGIES[search](table, 0)
    history = early_ours.searched(strategy, table, trace)
    trained = [(t.proposal.params["x"], point.round) for t in history for point in t.curve]
    assert len(trained) == len(set(trained))
    assert trace.answer()["steps"][-1][2] == left


@pytest.mark.parametrize("name", names("own"))
def test_the_tables_of_our_own_networks_have_a_curve_for_each_configuration_of_a_grid(name):
    rows = grid(SPACES[name.removeprefix("own_")])
    problem = load(name)
    look_up = problem.look_up()
    assert len({tuple(look_up(row).params.values()) for row in rows}) == len(rows)
    assert problem.rounds == 50
    assert 0 < problem.optimum < problem.median
