"""The parts of `make bench-bayesian`: families of problems, regrets, the choice of settings."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parent))

import choose
import contest
import families
import opponents
import variants
from box import Box, extremes
from part import Part, complete
from problem import Problem
from regrets import Figure, Regrets, curve, over_families, over_problems, worth_lost
from tables import grid_of, of_grid

AXES = {"units": [8, 16], "activation": ["relu", "tanh"]}
COIN = {"side": {"distribution": "choice", "values": [0, 1]}}


def coin(noisy=None) -> Problem:
    """Loss 0 or 1."""
    return Problem("coin", COIN, lambda params: float(params["side"]), 0.0, 0.5, noisy=noisy)


def test_regret_is_0_at_the_optimum_and_1_at_the_median():
    problem = Problem("p", COIN, lambda params: 0.0, optimum=1.0, median=5.0)
    assert [problem.regret(loss) for loss in (1.0, 3.0, 5.0, 9.0)] == [0.0, 0.5, 1.0, 2.0]


def test_regret_of_errors_that_spread_over_decades_is_judged_on_their_logarithm():
    problem = Problem("p", COIN, lambda params: 0.0, optimum=0.01, median=1.0, scale=np.log)
    assert problem.regret(0.1) == pytest.approx(0.5)
    assert problem.loss({"side": 0}) == 0.0  # what a search sees is on no scale


def test_a_loss_below_the_optimum_of_a_surrogate_has_no_negative_regret():
    assert Problem("p", COIN, lambda params: 0.0, 1.0, 2.0).regret(0.9) == 0.0


def test_words_of_a_grid_are_unordered_and_numbers_are_ordered():
    space, place = grid_of(AXES)
    assert [space[axis]["ordered"] for axis in AXES] == [True, False]
    assert place({"activation": "tanh", "units": 8}) == (0, 1)


def test_a_grid_knows_its_optimum_and_median():
    problem = of_grid("grid", AXES, np.array([[4.0, 1.0], [2.0, 3.0]]))
    assert (problem.optimum, problem.median) == (1.0, 2.5)
    assert problem.loss({"units": 16, "activation": "relu"}) == 2.0


def test_a_curve_is_the_best_so_far_and_the_median_until_a_trial_succeeds():
    run = {"losses": [math.inf, 0.5, 1.0, 0.0]}
    assert curve(coin(), run).tolist() == [1.0, 1.0, 1.0, 0.0]


def test_where_trials_are_noisy_the_true_loss_of_the_winner_counts():
    problem = coin(noisy=lambda params, rng: -1.0)
    found = curve(problem, {"losses": [-1.0] * 50, "chosen": {"25": 1.0, "50": 0.0}})
    assert (found[24], found[49], np.isnan(found).sum()) == (2.0, 0.0, 48)


def test_an_optimiser_that_falls_for_luck_is_judged_by_what_it_chose():
    lucky = coin(noisy=lambda params, rng: -float(params["side"]))
    found = opponents.answer("random", lucky, 0)
    assert min(found["losses"]) == -1.0
    assert found["chosen"] == {"25": 1.0, "50": 1.0}


def test_the_noise_of_a_search_depends_on_its_seed_alone():
    problem = coin(noisy=lambda params, rng: float(rng.normal()))

    def seen(seed: int) -> list[float]:
        loss = problem.trials(seed)
        return [loss({"side": 0}) for _ in range(3)]

    assert seen(0) == seen(0)
    assert seen(0) != seen(1)
    assert len(set(seen(0))) == 3


def test_the_mean_over_problems_weighs_each_alike():
    found = over_problems([np.array([0.1, 0.3]), np.array([0.2, 0.2])])
    # Variances of the means: 0.02 / 2 and 0; the error of their mean is sqrt(0.01) / 2.
    assert (found.mean, found.error) == (pytest.approx(0.2), pytest.approx(0.05))


def test_one_seed_has_no_standard_error():
    assert math.isnan(over_problems([np.array([0.1])]).error)


def test_real_networks_weigh_twice_what_synthetic_problems_weigh():
    found = over_families({"synthetic": Figure(0.3, 0.03), "networks": Figure(0.0, 0.0)})
    assert (found.mean, found.error) == (pytest.approx(0.1), pytest.approx(0.01))
    real = set(families.NAMES) - {"synthetic", "noise"}
    assert {families.WEIGHTS[name] for name in real} == {2.0}
    assert "noise" not in families.WEIGHTS


def test_a_family_is_the_mean_of_its_problems_that_ran():
    curves = {("nettuner", "branin"): [[0.5, 0.1], [0.5, 0.3]], ("nettuner", "mixed"): [[1.0, 0.4]]}
    regrets = Regrets.of(curves)
    assert regrets.of_family("nettuner", "synthetic", 2).mean == pytest.approx(0.3)
    assert regrets.mean_curve("nettuner", ["synthetic"]) == pytest.approx([0.75, 0.3])


def test_four_in_flight_that_are_a_trial_of_four_behind_lose_a_quarter():
    assert worth_lost(np.array([4.0, 3, 2, 1]), np.array([4.0, 4, 3, 2]), 4) == 0.25


def test_four_in_flight_that_end_ahead_gain_what_is_known_of_it():
    assert worth_lost(np.array([4.0, 3, 2, 1]), np.array([4.0, 0.5, 0.5, 0.5]), 2) == -1.0


def test_the_family_left_out_has_no_say_in_its_setting():
    scores = {
        "as it is": {"synthetic": 0.1, "networks": 0.5, "lcbench": 0.5},
        "other": {"synthetic": 0.9, "networks": 0.4, "lcbench": 0.4},
    }
    # Without synthetic 0.5 against 0.4; without networks (0.1 + 2 x 0.5) / 3 against 1.7 / 3.
    assert choose.chosen_without(scores, "synthetic") == "other"
    assert choose.chosen_without(scores, "networks") == "as it is"


def test_every_problem_is_in_one_family():
    names = [name for family in families.NAMES for name in families.problems_of(family)]
    assert len(names) == len(set(names)) > 40
    assert all(families.family_of(families.problems_of(f)[0]) == f for f in families.NAMES)


def test_a_part_of_the_problems_has_all_families():
    turn = contest.in_turn(["synthetic", "hpolib"])
    assert [families.family_of(name) for name in turn[:5]] == ["synthetic", "hpolib"] * 2 + [
        "synthetic"
    ]
    assert len(turn) == 7 + 2


def test_what_a_family_is_made_of_is_found():
    files = {file.name for file in families.sources("hpolib")}
    assert files == {"hpolib.py", "tables.py", "problem.py"}


def test_a_version_is_that_of_the_contents_wherever_they_are(tmp_path):
    for place, (folder, text) in enumerate([("a", "1"), ("b", "2"), ("c", "2"), ("d", "1")]):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{place}.py").write_text(text)
    files = [tmp_path / folder / f"{place}.py" for place, folder in enumerate("abcd")]
    assert contest.digest(files[:2]) == contest.digest(files[2:])
    assert contest.digest(files[:2]) != contest.digest(files[1:3])


def test_a_part_says_what_it_is_and_what_is_left_out():
    part = Part(("synthetic",), ("lcbench",), range(2), ("smac",))
    assert str(part) == (
        "a part of the benchmark: 2 seeds of synthetic; left out, as their data are not there: "
        "lcbench"
    )


def test_only_what_all_have_run_is_compared():
    jobs = [(name, problem, 0) for name in ("nettuner", "smac") for problem in ("branin", "mixed")]
    assert complete(jobs, lambda job: job != ("smac", "mixed", 0)) == [jobs[0], jobs[2]]


def test_whole_numbers_of_a_box_have_equal_shares():
    box = Box({"layers": {"distribution": "integer", "low": 1, "high": 4}})
    places = (np.arange(400)[:, None] + 0.5) / 400
    assert np.bincount(box.values(places)[:, 0].astype(int)).tolist() == [0, 100, 100, 100, 100]


def test_the_optimum_of_a_bowl_is_found():
    box = Box(
        {
            "rate": {"distribution": "log-uniform", "low": 1e-4, "high": 1.0},
            "dropout": {"distribution": "uniform", "low": 0.0, "high": 1.0},
        }
    )

    def losses(rows: np.ndarray) -> np.ndarray:
        return 2 + (np.log10(rows[:, 0]) + 2) ** 2 + (rows[:, 1] - 0.25) ** 2

    lowest, median = extremes(box, losses)
    # The rate's share has a mean of 4/3 and the dropout's of 1/12 + 1/16.
    assert lowest == pytest.approx(2.0, abs=1e-4)
    assert 2.5 < median < 3.6


def test_every_variant_and_choice_changes_what_is_there():
    for name in (*variants.VARIANTS, *variants.CHOICES):
        for change in variants.patches(name):
            with change:  # refuses names that the strategy no longer has
                pass
