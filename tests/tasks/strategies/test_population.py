"""Population based training: who copies whom, and what a copy changes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from models.space import Dimension, Space
from models.study import Proposal, Study, Trial
from tasks import strategies
from tasks.strategies.population import Population, moved, truncation_parents

LINE = Space.model_validate({"x": {"distribution": "uniform", "low": 0, "high": 1}})
MIXED = Space.model_validate(
    {
        "x": {"distribution": "uniform", "low": 0, "high": 1},
        "units": {"distribution": "integer", "low": 1, "high": 3},
        "kind": ["a", "b", "c"],
        "fixed": 1,
    }
)


def dimension(given: Any) -> Dimension:
    return Space.model_validate({"d": given})["d"]


def generation(of: list[Proposal], scores: list[float | None]) -> list[Trial]:
    return [Trial(proposal, score) for proposal, score in zip(of, scores, strict=True)]


def whole(population: Population, space: Space, score: Callable[[Proposal], Any]) -> list[Trial]:
    history: list[Trial] = []
    while batch := population.propose(space, history, [], 1000):
        history += [Trial(proposal, score(proposal)) for proposal in batch]
    return history


# Who continues from whom


def test_a_member_without_a_score_copies_the_best():
    scores = np.array([0.3, 0.1, 0.5, np.nan, 0.2])  # a fifth of five is one: 3 copies 1
    parents = truncation_parents(scores, fraction=0.2, rng=np.random.default_rng(0))
    assert parents.tolist() == [0, 1, 2, 1, 4]


def test_everybody_without_a_score_is_replaced_by_one_of_the_best():
    scores = np.array([np.nan, 0.2, np.nan, np.nan, 0.1])  # one is replaced, three have to be
    parents = truncation_parents(scores, fraction=0.2, rng=np.random.default_rng(0))
    assert parents.tolist() == [4, 1, 4, 4, 4]


def test_of_two_equals_the_second_copies_the_first():
    parents = truncation_parents(np.array([0.4, 0.4]), 0.2, np.random.default_rng(0))
    assert parents.tolist() == [0, 0]


def test_the_worst_fifth_copies_members_of_the_best_fifth_evenly():
    scores = np.arange(20.0)
    rng = np.random.default_rng(0)
    drawn = [truncation_parents(scores, 0.2, rng) for _ in range(500)]
    assert all(parents[:16].tolist() == list(range(16)) for parents in drawn)
    counts = np.bincount(np.concatenate([parents[16:] for parents in drawn]), minlength=4)
    # Binomial(2000, 1/4): sd 19.4. Six of them fail by chance about once in 10^8 runs.
    assert len(counts) == 4
    assert np.all(np.abs(counts - 500) < 6 * 19.4)


@pytest.mark.parametrize(
    ("scores", "fraction", "message"),
    [
        ([[1.0, 2.0]], 0.2, r"must have shape \[population\], got \(1, 2\)"),
        ([1.0, 2.0], 0.6, r"fraction must be in \(0, 0.5\], got 0.6"),
        ([np.nan, np.nan], 0.2, "somebody must have a score"),
    ],
)
def test_selection_without_sense_is_refused(scores, fraction, message):
    with pytest.raises(ValueError, match=message):
        truncation_parents(np.array(scores), fraction, np.random.default_rng(0))


# Generations


def test_numbers_members_and_lengths():
    population = Population(size=3, interval=2, rounds=5, seed=0)
    trials = whole(population, LINE, lambda p: p.params["x"])
    assert [trial.number for trial in trials] == list(range(9))
    assert [trial.proposal.member for trial in trials] == [0, 1, 2] * 3
    assert [trial.proposal.until for trial in trials] == [2, 2, 2, 4, 4, 4, 5, 5, 5]
    assert population.size(LINE) == 9


def test_an_interval_longer_than_the_training_is_a_random_search():
    population = Population(size=3, interval=10, rounds=5, seed=0)
    trials = whole(population, LINE, lambda p: 0.0)
    assert [trial.proposal.until for trial in trials] == [5, 5, 5]
    assert all(trial.proposal.parent is None for trial in trials)


def test_the_worst_continues_from_the_best_and_the_others_from_themselves():
    population = Population(size=5, rounds=3, seed=0)
    first = population.propose(MIXED, [], [], 5)
    history = generation(first, [0.3, 0.1, 0.5, None, 0.2])
    second = population.propose(MIXED, history, [], 5)
    assert [proposal.parent for proposal in second] == [0, 1, 2, 1, 4]
    kept = [member for member in range(5) if member != 3]
    assert all(second[member].params == first[member].params for member in kept)
    assert second[3].params["x"] != first[1].params["x"]


@pytest.mark.parametrize("score", [math.inf, -math.inf, math.nan, None])
def test_a_score_that_is_not_finite_is_a_failure(score):
    population = Population(size=3, rounds=2, seed=0)
    history = generation(population.propose(LINE, [], [], 3), [0.2, score, 0.1])
    assert [p.parent for p in population.propose(LINE, history, [], 3)] == [0, 2, 2]


def test_nothing_is_proposed_when_everybody_failed():
    population = Population(size=3, rounds=2, seed=0)
    history = generation(population.propose(LINE, [], [], 3), [None, math.nan, math.inf])
    assert population.propose(LINE, history, [], 3) == []


def test_a_generation_waits_for_the_last_one_of_the_generation_before():
    population = Population(size=3, rounds=2, seed=0)
    first = population.propose(LINE, [], [], 3)
    history = generation(first[:2], [0.1, 0.2])
    assert population.propose(LINE, history, first[2:], 3) == []
    history += generation(first[2:], [0.3])
    assert [p.number for p in population.propose(LINE, history, [], 9)] == [3, 4, 5]


def test_members_lost_in_the_middle_come_back_with_what_they_had():
    population = Population(size=6, rounds=4, fraction=0.5, seed=1)
    trials = whole(population, MIXED, lambda p: p.params["x"] + p.number / 100)
    expected = [trial.proposal for trial in trials[12:18]]
    history = [*trials[:12], trials[13], trials[16]]
    assert population.propose(MIXED, history, [], 6) == [expected[k] for k in (0, 2, 3, 5)]
    assert population.propose(MIXED, history, [expected[0]], 1) == [expected[2]]


# What a copy changes


def copies(population: Population, space: Space, many: int = 200) -> list[tuple[Any, Any]]:
    """Hyperparameters of winner and copy, in populations that differ by their seed."""
    found = []
    for seed in range(many):
        other = population.model_copy(update={"seed": seed})
        first = other.propose(space, [], [], 2)
        second = other.propose(space, generation(first, [0.1, 0.9]), [], 2)
        assert [proposal.parent for proposal in second] == [0, 0]
        found.append((first[0].params, second[1].params))
    return found


def test_a_copy_that_draws_nothing_anew_moves_by_one_step():
    population = Population(size=2, rounds=2, seed=0, resample=0, perturb=0.1)
    for winner, copy in copies(population, MIXED):
        distance = abs(copy["x"] - winner["x"])
        assert distance == pytest.approx(0.1) or copy["x"] in (0.0, 1.0)
        assert abs(copy["units"] - winner["units"]) == 1
        assert copy["kind"] != winner["kind"]
        assert copy["fixed"] == 1


def test_steps_go_up_as_often_as_down():
    population = Population(size=2, rounds=2, seed=0, resample=0, perturb=0.01)
    ups = sum(copy["x"] > winner["x"] for winner, copy in copies(population, LINE, 1000))
    # Binomial(1000, 1/2): sd 15.8. Six of them fail by chance about once in 10^8 runs.
    assert abs(ups - 500) < 6 * 15.8


def test_a_quarter_is_drawn_anew():
    population = Population(size=2, rounds=2, seed=0, resample=0.25, perturb=0.001)
    anew = sum(abs(c["x"] - w["x"]) > 0.0011 for w, c in copies(population, LINE, 1000))
    # Binomial(1000, 1/4): sd 13.7, two of those drawn land within a step. Six sd: once in 10^8.
    assert abs(anew - 250) < 6 * 13.7 + 2


def test_structural_hyperparameters_stay_with_the_weights():
    population = Population(size=2, rounds=2, seed=0, structural=frozenset({"units", "kind"}))
    for winner, copy in copies(population, MIXED):
        assert (copy["units"], copy["kind"]) == (winner["units"], winner["kind"])


def test_what_decides_whether_a_structural_dimension_exists_is_structural_too():
    space = Space.model_validate(
        {
            "deep": [True, False],
            "second": {"distribution": "integer", "low": 1, "high": 9, "when": {"deep": True}},
        }
    )
    population = Population(size=2, rounds=2, seed=0, structural=frozenset({"second"}))
    assert all(winner == copy for winner, copy in copies(population, space))


def test_dimensions_come_and_go_with_their_condition():
    space = Space.model_validate(
        {
            "optimizer": ["sgd", "adam"],
            "momentum": {
                "distribution": "uniform", "low": 0, "high": 1, "when": {"optimizer": "sgd"}
            },
        }
    )  # fmt: skip
    pairs = copies(Population(size=2, rounds=2, seed=0, resample=0), space)
    assert all(space.contains(copy) for _, copy in pairs)
    assert {(w["optimizer"], c["optimizer"]) for w, c in pairs} == {
        ("sgd", "adam"),
        ("adam", "sgd"),
    }


@pytest.mark.parametrize(
    ("given", "value", "step", "expected"),
    [
        ({"distribution": "uniform", "low": 0, "high": 10}, 4.0, 0.2, 6.0),
        ({"distribution": "uniform", "low": 0, "high": 10}, 9.0, 0.2, 10.0),
        ({"distribution": "log-uniform", "low": 1e-4, "high": 1.0}, 1e-2, -0.25, 1e-3),
        ({"distribution": "normal", "mean": 0, "std": 1}, 0.0, 0.75, 0.6744897501960817),
        ({"distribution": "integer", "low": 0, "high": 9}, 4, 0.2, 6),
        ({"distribution": "integer", "low": 0, "high": 9}, 4, 0.01, 5),
        ({"distribution": "integer", "low": 0, "high": 9}, 4, -0.01, 3),
        ({"distribution": "integer", "low": 0, "high": 9}, 9, 0.2, 8),
        ({"distribution": "integer", "low": 0, "high": 90_000, "step": 3}, 6, 1e-9, 9),
        ({"distribution": "integer", "low": 0, "high": 90_000}, 90_000, 1e-9, 89_999),
        ({"distribution": "choice", "values": [0.1, 0.5, 0.9], "ordered": True}, 0.5, 0.1, 0.9),
        ({"distribution": "choice", "values": [16, 64], "ordered": True}, 64, 0.01, 16),
        ({"distribution": "choice", "values": [1, True], "ordered": True}, True, 0.01, 1),
        ([True, False], True, 0.2, False),
        ({"distribution": "choice", "values": ["only"]}, "only", 0.2, "only"),
    ],
)
def test_a_step(given, value, step, expected):
    found = moved(dimension(given), value, step, which=0.0)
    assert found == pytest.approx(expected)
    assert type(found) is type(expected)


def test_a_step_beyond_an_unbounded_tail_comes_back():
    # Up from the 90 % quantile by 0.2 is 1.1, which reflects to 0.9.
    normal = dimension({"distribution": "normal", "mean": 0, "std": 1})
    assert moved(normal, normal.from_unit(0.9), 0.2, 0.0) == pytest.approx(normal.from_unit(0.9))


def test_a_choice_moves_to_each_other_value():
    assert [moved(dimension(["a", "b", "c"]), "b", 0.2, u) for u in (0.1, 0.9)] == ["a", "c"]


# It does what it is for


def test_two_members_solve_the_toy_of_the_paper():
    """Figure 2 of Jaderberg et al.: neither member's surrogate can find the optimum alone.

    Q = 1.2 - theta_0^2 - theta_1^2 is wanted; each step climbs 1.2 - sum of h_i theta_i^2.
    """
    space = Space.model_validate(
        {h: {"distribution": "uniform", "low": 0, "high": 1} for h in ("h0", "h1")}
    )
    reached = []
    for seed in range(10):
        theta: dict[int, Any] = {}

        def train(proposal: Proposal, theta: dict[int, Any] = theta) -> float:
            weights = np.array([0.9, 0.9]) if proposal.parent is None else theta[proposal.parent]
            h = np.array([proposal.params["h0"], proposal.params["h1"]])
            for _ in range(4):
                weights = weights - 0.02 * h * weights
            theta[proposal.number] = weights
            return float((weights**2).sum() - 1.2)

        population = Population(size=2, interval=4, rounds=200, seed=seed)
        reached.append(-min(trial.score or 0.0 for trial in whole(population, space, train)))
    # The better of two that train alone, each with an h drawn once, is above 1.19 with
    # probability 0.33 (200,000 drawn): all ten would be about once in 60,000.
    assert min(reached) > 1.19


# Settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 1}, "size >= 2, got 1"),
        ({"fraction": 0}, r"fraction must be in \(0, 0.5\], got 0; 0.2 replaces"),
        ({"fraction": 0.7}, r"fraction must be in \(0, 0.5\], got 0.7"),
        ({"resample": 1.5}, r"resample must be in \[0, 1\], got 1.5"),
        ({"perturb": 0}, r"perturb must be in \(0, 1\], got 0"),
        ({"interval": 0}, "greater than or equal to 1"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        Population(**{"rounds": 3, "seed": 0, **settings})


def study(**other: Any) -> Study:
    described = {
        "name": "p", "learner": "mlp", "metric": "m", "space": {"x": [1, 2]}, "epochs": 7,
        "seed": 3, "strategy": {"name": "population"},
    }  # fmt: skip
    return Study.model_validate(described | other)


def test_a_study_gives_seed_length_and_usual_size():
    population = strategies.load(study(stop={"trials": 30}), structural=["x"])
    assert population == Population(size=30, rounds=7, seed=3, structural=frozenset({"x"}))
    assert strategies.load(study()) == Population(size=16, rounds=7, seed=3)
    chosen = {"name": "population", "size": 4, "interval": 2}
    assert strategies.load(study(strategy=chosen)) == Population(
        size=4, interval=2, rounds=7, seed=3
    )


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"epochs": None}, "needs a study with a length, got neither epochs nor steps; give"),
        (
            {"stop": {"trials": 5}, "strategy": {"name": "population", "size": 8}},
            "stop.trials >= size, got stop.trials=5 and size=8",
        ),
    ],
)
def test_a_study_that_no_population_fits_is_refused(other, message):
    with pytest.raises(ValueError, match=message):
        strategies.load(study(**other))
