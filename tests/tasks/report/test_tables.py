"""Tables and curves of searches small enough to check by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from nettuner.models.study import Goal, Proposal, Study, Trial, best
from nettuner.tasks.memory.recall import Children, PastSearch
from nettuner.tasks.memory.trial_tags import Final
from nettuner.tasks.report.pages import search_as_markdown
from nettuner.tasks.report.tables import (
    comparison,
    curve,
    latest_of_each_strategy,
    trials_table,
)

GOAL = Goal("accuracy", "maximize")


def past(trials, **changes):
    given = {
        "run_id": "r1",
        "experiment_id": "1",
        "name": "random_search at noon",
        "status": "FINISHED",
        "strategy": "random_search",
        "digest": "d",
        "goal": GOAL,
        "rounds": 4,
        "unit": "epochs",
        "began": 0.0,
        "test": {"test_accuracy": 0.7},
        "read": lambda: Children(trials),
    }
    return PastSearch(**{**given, **changes})


# Trial 2 failed after one of four rounds; trial 1 is the best with an accuracy of 0.9.
THREE = [
    Trial(Proposal(0, {"x": 0.1}), -0.5, seconds=2.004, rounds=4, ended=2.0),
    Trial(Proposal(2, {"x": 0.3}), None, "it broke", seconds=1.0, rounds=1, ended=3.0),
    Trial(Proposal(1, {"x": 0.2, "y": "a"}), -0.9, seconds=2.5, rounds=4, ended=4.5),
]


def test_the_table_of_trials_has_the_best_first_and_failures_last():
    table = trials_table(past(THREE))
    assert table["trial"].tolist() == [1, 0, 2]
    assert table["accuracy"].tolist()[:2] == [0.9, 0.5]
    assert math.isnan(table["accuracy"][2])
    assert table["failed"][2] == "it broke"
    assert table["x"].tolist() == [0.2, 0.1, 0.3]
    assert table["seconds"].tolist() == [2.5, 2.0, 1.0]
    assert table.columns[0] == "search"
    assert "member" not in table  # of no use where there is no population


def test_the_table_of_what_is_minimized_has_the_smallest_first():
    trials = [Trial(Proposal(k, {}), score) for k, score in enumerate((3.0, 1.0, 2.0))]
    table = trials_table(past(trials, goal=Goal("loss", "minimize")))
    assert table["trial"].tolist() == [1, 2, 0]


def test_theirs_never_take_the_place_of_ours_in_a_table():
    names = ["search", "trial", "member", "parent", "rounds", "seconds", "failed", "score"]
    trial = Trial(Proposal(3, {name: f"their {name}" for name in names}), 0.5, seconds=2.0)
    table = trials_table(past([trial], goal=Goal("score", "minimize")))
    (row,) = table.to_dict("records")
    assert (row["search"], row["trial"], row["score"]) == ("random_search at noon", 3, 0.5)
    assert (row["rounds"], row["seconds"]) == (0, 2.0)
    assert all(row[f"hyperparameter.{name}"] == f"their {name}" for name in names)


@pytest.mark.parametrize("metric", ["seconds", "trial", "failed"])
def test_a_metric_that_is_called_like_a_column_of_ours_is_ranked_by_its_own_values(metric):
    trials = [Trial(Proposal(k, {}), score, seconds=score) for k, score in enumerate((-1.0, -2.0))]
    table = trials_table(past(trials, goal=Goal(metric, "maximize")))
    assert table[f"metric.{metric}"].tolist() == [2.0, 1.0]


def test_a_bar_or_a_line_break_in_a_value_does_not_end_its_cell():
    trial = Trial(Proposal(0, {"kind": "a|b\nc"}), 0.5)
    study = Study.model_validate(
        {"name": "s", "learner": "f.py:f", "space": {"kind": ["a|b\nc"]}, "metric": "accuracy"}
    )
    page = search_as_markdown(study, GOAL, [trial], trial, {}, "the end")
    assert "| kind | a\\|b c |" in page


def segment(number, member, until, score, rounds, parent=None):
    return Trial(Proposal(number, {"x": member}, parent, member, until), score, rounds=rounds)


# Configuration 0 was trained for four of four epochs and was best after two, 1 for one.
HALVED = {
    "strategy": "successive_halving",
    "read": lambda: Children(
        [
            segment(0, 0, 1, -0.5, 1),
            segment(1, 1, 1, -0.25, 1),
            segment(2, 0, 2, -0.75, 1, parent=0),
            segment(3, 0, 4, -0.7, 2, parent=2),
        ],
        members={0: "a", 1: "b"},
    ),
}


def test_a_configuration_that_was_continued_is_one_row():
    table = trials_table(past([], **HALVED))
    assert table["trial"].tolist() == [2, 1]
    assert table["accuracy"].tolist() == [0.75, 0.25]
    assert table["rounds"].tolist() == [4, 1]
    assert table["stopped"].fillna("").tolist() == ["", "at 1 others were better"]


def test_what_was_stopped_is_counted_beside_what_failed():
    (row,) = comparison([past([], **HALVED)]).to_dict("records")
    assert (row["networks"], row["failed"], row["stopped"], row["epochs trained"]) == (2, 0, 1, 5)
    stopped = replace(THREE[0], stopped="at 2 worse than the median of 4 others")
    (row,) = comparison([past([stopped, *THREE[1:]])]).to_dict("records")
    assert (row["failed"], row["stopped"]) == (1, 1)
    (row,) = comparison([past(THREE)]).to_dict("records")
    assert "stopped" not in row


# Trial 1 has the better mean, trial 0 the better single training.
REPEATED = [
    Trial(Proposal(0, {"x": 0.1}), -0.5, rounds=8, ended=2.0, scores=(-0.8, -0.2)),
    Trial(Proposal(1, {"x": 0.2}), -0.6, rounds=8, ended=3.0, scores=(-0.6, -0.6)),
]


def test_a_mean_stands_beside_its_spread_and_the_number_of_trainings():
    table = trials_table(past(REPEATED))
    assert table["accuracy"].tolist() == [0.6, 0.5]
    # 0.2 and 0.8 are 0.3 from their mean: the root of 2 x 0.09.
    assert table["accuracy_std"].tolist() == pytest.approx([0, 0.18**0.5])
    assert table["trainings"].tolist() == [2, 2]
    assert "final" not in table


def test_every_training_counts_as_a_network():
    (row,) = comparison([past(REPEATED)]).to_dict("records")
    assert (row["networks"], row["best accuracy"], row["accuracy_std"]) == (4, 0.6, 0)
    assert curve(past(REPEATED))["trained"].tolist() == [2.0, 4.0]
    assert curve(past(REPEATED, rounds=0))["trained"].tolist() == [2.0, 4.0]


def test_the_winner_of_finals_comes_first_with_its_scores_there():
    finals = [Final(0, (-0.7, -0.5), {"accuracy": 0.6}), Final(1, (-0.4, -0.4), {"accuracy": 0.4})]
    decided = past(REPEATED, finals=finals)
    table = trials_table(decided)
    assert table["trial"].tolist() == [0, 1]
    assert table["final"].tolist() == pytest.approx([0.6, 0.4])
    assert table["final_std"].tolist() == pytest.approx([0.02**0.5, 0])
    assert (decided.winner.number, decided.winner.score) == (0, pytest.approx(-0.6))
    assert latest_of_each_strategy([decided]) == [decided]


def test_a_page_says_what_the_finals_decided():
    winner = replace(REPEATED[0], score=-0.6, scores=(-0.7, -0.5))
    study = Study.model_validate(
        {
            "name": "s",
            "learner": "f.py:f",
            "space": {"x": [0.1, 0.2]},
            "metric": "accuracy",
            "finals": 1,
            "finals_seeds": 2,
        }
    )
    page = search_as_markdown(study, GOAL, REPEATED, winner, {}, "the end", [winner])
    # 0.5 and 0.7 are 0.1 from their mean: the root of 2 x 0.01 is 0.14.
    assert page.startswith("**Best accuracy: 0.6 ± 0.14 of 2** (trial 0 of 2, 0 failed).")
    assert "the best 1 were trained again with 2 other seeds each, and the best mean wins" in page
    assert "| trial 0 | 0.6 ± 0.14 of 2 | 0.7, 0.5 | 0.1 |" in page


def test_a_search_without_trials_has_an_empty_table():
    assert trials_table(past([])).empty


def test_a_curve_is_the_best_so_far_after_each_trial_that_ended():
    points = curve(past(THREE))
    assert points["trained"].tolist() == [1.0, 1.25, 2.25]
    assert points["seconds"].tolist() == [2.0, 3.0, 4.5]
    assert points["best"].tolist() == [0.5, 0.5, 0.9]


def test_seconds_of_a_curve_are_those_since_the_first_training_began():
    trials = [replace(trial, seconds=1.5, ended=trial.ended + 4) for trial in THREE]
    # Three of one stack, which ended at 8.5 s and took 4.5 s in all: it began at 4.
    assert curve(past(trials))["seconds"].tolist() == [2.0, 3.0, 4.5]
    alone = [replace(THREE[0], ended=9.0, seconds=2.0), replace(THREE[2], ended=10.0, seconds=2.5)]
    assert curve(past(alone))["seconds"].tolist() == [2.0, 3.0]  # the first began at 7


def test_a_curve_has_no_value_before_the_first_success():
    points = curve(past([THREE[1], THREE[0]]))
    assert math.isnan(points["best"][0])
    assert points["best"][1] == 0.5


def test_functions_that_train_as_long_as_they_like_count_as_one_each():
    points = curve(past(THREE, rounds=0))
    assert points["trained"].tolist() == [1.0, 2.0, 3.0]


def test_segments_of_a_population_add_up_to_whole_trials():
    trials = [
        Trial(Proposal(k, {}, None, k % 2, 1 + k // 2), -0.1 * k, rounds=1, ended=float(k))
        for k in range(4)
    ]
    assert curve(past(trials, rounds=2))["trained"].tolist() == [0.5, 1.0, 1.5, 2.0]
    (row,) = comparison([past(trials, rounds=2)]).to_dict("records")
    assert row["networks"] == 2
    assert row["epochs trained"] == 4


def test_a_comparison_has_a_row_for_each_search():
    (row,) = comparison([past(THREE)]).to_dict("records")
    assert row == {
        "strategy": "random_search",
        "best accuracy": 0.9,
        "test_accuracy": 0.7,
        "networks": 3,
        "failed": 1,
        "epochs trained": 9,
        "seconds": 4.5,
        "status": "finished",
    }


def test_the_newest_search_with_a_result_stands_for_its_strategy():
    old = past([Trial(Proposal(0, {}), -0.99)], run_id="old")
    new = past(THREE, run_id="new", began=1.0)
    failed = past([THREE[1]], run_id="failed", began=2.0)
    grid = past([Trial(Proposal(0, {}), -0.95)], run_id="grid", strategy="grid_search")
    found = latest_of_each_strategy([old, new, failed, grid])
    assert [search.run_id for search in found] == ["grid", "new"]


def test_the_page_of_a_search_says_what_was_found():
    study = Study.model_validate(
        {
            "name": "s",
            "learner": "mlp",
            "space": {
                "x": {"distribution": "uniform", "low": 0, "high": 1},
                "y": {"distribution": "choice", "values": ["a", "b"]},
            },
            "metric": "accuracy",
        }
    )
    page = search_as_markdown(
        study, GOAL, THREE, best(THREE), {"test_accuracy": 0.7}, "time was up"
    )
    lines = page.splitlines()
    assert lines[0] == (
        "**Best accuracy: 0.9** (trial 1 of 3, 1 failed). Ended because time was up."
    )
    assert "- test_accuracy: 0.7 (test rows, measured once)" in lines
    assert "| y | a |" in lines
    assert lines[-2:] == ["| 1 | 0.9 | 2.5 | 0.2 | a |", "| 0 | 0.5 | 2.0 | 0.1 |  |"]
