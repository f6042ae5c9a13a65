"""Bayesian search: never twice the same, indifferent to units, better than chance."""

from __future__ import annotations

import functools
import math
import re
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from nettuner.models.space import Params, Space
from nettuner.models.study import Proposal, Trial
from nettuner.tasks.strategies.bayesian import Bayesian, fitting
from nettuner.tasks.strategies.random_search import RandomSearch

PLANE = Space.model_validate(
    {
        "x": {"distribution": "uniform", "low": -5, "high": 10},
        "y": {"distribution": "uniform", "low": 0, "high": 15},
    }
)
SIDE = {"distribution": "uniform", "low": 0, "high": 1}
CARDS = Space.model_validate(
    {
        "suit": ["clubs", "hearts", "spades"],
        "rank": {"distribution": "integer", "low": 1, "high": 4},
        "joker": {"distribution": "choice", "values": [True, False], "when": {"rank": [1, 4]}},
    }
)
CARDS_SIZE = 3 * (2 * 2 + 2)


def branin(params: Params) -> float:
    """Three minima of 0.397887. Source: Dixon & Szego (1978)."""
    x, y = float(params["x"]), float(params["y"])
    valley = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
    return valley**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


def bowl(params: Params) -> float:
    return (float(params["x"]) - 4) ** 2 + (float(params["y"]) - 9) ** 2


def cards(params: Params) -> float:
    return float(params["rank"]) * (2 if params["suit"] == "hearts" else 3)


def run(
    strategy: Any,
    space: Space,
    score: Callable[[Params], float | None],
    total: int,
    width: int = 1,
) -> list[Trial]:
    history: list[Trial] = []
    while len(history) < total:
        batch = strategy.propose(space, history, [], min(width, total - len(history)))
        if not batch:
            break
        history += [Trial(proposal, score(proposal.params)) for proposal in batch]
    return history


@functools.cache
def known(total: int) -> list[Trial]:
    return run(Bayesian(seed=1), PLANE, branin, total)


def distinct(proposals: list[Proposal]) -> int:
    return len({repr(proposal.params) for proposal in proposals})


def lowest(trials: list[Trial]) -> float:
    return min(trial.score for trial in trials if trial.score is not None)


# Better than chance


@pytest.mark.parametrize(("width", "seeds"), [(1, [0, 1]), (3, [0, 1, 2])])
def test_it_beats_random_search_on_branin(width, seeds):
    found = [
        lowest(run(Bayesian(seed=seed, budget=30), PLANE, branin, 30, width)) for seed in seeds
    ]
    by_chance = [lowest(run(RandomSearch(seed=seed), PLANE, branin, 30)) for seed in seeds]
    # 30 random points come within 0.1 of the optimum with probability 0.056 (100,000 drawn), so
    # a search no better than chance passes both tests once in 1.8 million. Ours misses it about
    # once in forty runs; the seeds are fixed.
    assert max(found) < 0.397887 + 0.1
    assert max(found) < min(by_chance)


def test_it_finds_the_best_choice_and_integer():
    space = Space.model_validate(
        {
            "kind": ["a", "b", "c", "d"],
            "layers": {"distribution": "integer", "low": 1, "high": 20},
            "rate": {"distribution": "log-uniform", "low": 1e-5, "high": 1.0},
        }
    )

    def score(params: Params) -> float:
        off = math.log10(float(params["rate"])) + 2
        return off**2 + (params["kind"] != "c") + abs(float(params["layers"]) - 7) / 5

    found = [lowest(run(Bayesian(seed=seed), space, score, 30)) for seed in range(2)]
    # Below 0.2 there is only the right kind, one of 20 numbers of layers, and a ninth of the
    # rates: one configuration in 440. 30 random trials find it with probability 0.07, so two
    # searches no better than chance pass once in 200. Seeds are fixed.
    assert max(found) < 0.2


def test_without_curiosity_it_stays_near_the_best():
    history = run(Bayesian(seed=0), PLANE, bowl, 15)
    best = min(history, key=lambda trial: trial.score or 0.0).proposal.params

    def distance(explore: float) -> float:
        strategy = Bayesian(seed=0, explore=explore)
        batch = strategy.propose(PLANE, history, [], 5)
        centre = [float(best["x"]), float(best["y"])]
        return max(math.dist([float(p.params[k]) for k in "xy"], centre) for p in batch)

    assert distance(0) < 1.0 < distance(100)


# Start points


def sixteenths(proposals: list[Proposal], name: str, share: float) -> list[int]:
    """In which sixteenth of the middle `share` of its axis each proposal lies, sorted."""
    low = {"x": -5, "y": 0}[name] + 15 * (1 - share) / 2
    return sorted(math.floor((float(p.params[name]) - low) / (15 * share) * 16) for p in proposals)


def test_start_points_are_the_middle_and_then_fill_the_space_about_it():
    middle, *others = Bayesian(seed=0, initial=17).propose(PLANE, [], [], 17)
    assert middle.params == {"x": 2.5, "y": 7.5}
    # A scrambled Sobol sequence has one of its first 16 points in each sixteenth of each axis.
    assert sixteenths(others, "x", 0.7) == sixteenths(others, "y", 0.7) == list(range(16))


def test_start_points_have_every_unordered_value_equally_often():
    space = Space.model_validate({"kind": ["a", "b", "c", "d"], "x": SIDE})
    _, *others = Bayesian(seed=0, initial=17).propose(space, [], [], 17)
    kinds = [proposal.params["kind"] for proposal in others]
    assert [kinds.count(kind) for kind in "abcd"] == [4] * 4


@pytest.mark.parametrize("width", [1, 2, 5])
def test_start_points_depend_on_nothing_but_seed_and_number(width):
    strategy = Bayesian(seed=4, initial=6)
    expected = strategy.propose(PLANE, [], [], 6)
    assert [t.proposal for t in run(strategy, PLANE, bowl, 6, width)] == expected


@pytest.mark.parametrize(
    ("budget", "dimensions", "initial"),
    [(None, 2, 4), (None, 5, 10), (100, 5, 10), (30, 5, 6), (8, 5, 4)],
)
def test_the_start_takes_two_a_dimension_but_no_more_than_a_fifth(budget, dimensions, initial):
    space = Space.model_validate(
        {f"x{i}": {"distribution": "uniform", "low": 0, "high": 1} for i in range(dimensions)}
        | {"fixed": 3}
    )
    strategy = Bayesian(seed=0, budget=budget)
    known = strategy.propose(space, [], [], initial)
    half = -(-initial // 2)
    # Scores make a difference only after the start points, and only if half of these have ended.
    for ended, asked, changes in (
        (half, initial - half, False), (half - 1, 9, False), (half, 9, True), (initial, 1, True),
    ):  # fmt: skip
        wave = known[:ended]
        answers = {
            repr(strategy.propose(space, [Trial(p, s(p)) for p in wave], [], asked)[-1].params)
            for s in (lambda p: p.number, lambda p: -p.number)
        }
        assert (len(answers) == 2) is changes


# Never twice


@pytest.mark.parametrize("width", [1, 5])
@pytest.mark.parametrize("score", [cards, lambda params: 1.0, lambda params: None])
def test_a_small_space_is_tried_to_the_last_configuration(width, score):
    strategy = Bayesian(seed=0)
    assert strategy.size(CARDS) == CARDS_SIZE
    trials = run(strategy, CARDS, score, 100, width)
    assert len(trials) == distinct([trial.proposal for trial in trials]) == CARDS_SIZE


def test_pending_configurations_are_not_proposed_again():
    strategy = Bayesian(seed=0)
    history = run(strategy, CARDS, cards, 8)
    pending = strategy.propose(CARDS, history, [], 5)
    rest = strategy.propose(CARDS, history, pending, 50)
    proposals = [trial.proposal for trial in history] + pending + rest
    assert len(proposals) == distinct(proposals) == CARDS_SIZE
    assert strategy.propose(CARDS, history, pending + rest, 1) == []


def test_a_finite_space_too_large_to_list_is_not_repeated_either():
    space = Space.model_validate(
        {f"c{i}": {"distribution": "integer", "low": 0, "high": 2} for i in range(9)}
    )
    strategy = Bayesian(seed=0, repeat=False)
    assert strategy.size(space) is None  # 3^9 = 19683
    trials = run(strategy, space, lambda p: math.fsum(float(v) for v in p.values()), 40, width=4)
    assert distinct([trial.proposal for trial in trials]) == 40
    assert lowest(trials) == 0  # one in 19683


def apart(one: Proposal, other: Proposal) -> float:
    return math.dist(*[[float(p.params[name]) for name in "xy"] for p in (one, other)])


def test_the_second_of_a_batch_takes_the_first_for_granted():
    batch = Bayesian(seed=1).propose(PLANE, known(12), [], 4)
    assert distinct(batch) == 4
    assert apart(batch[0], batch[1]) > 0.5  # 3.4; blind to the first it would be 0.01 beside it


def test_what_is_pending_is_taken_for_granted():
    strategy = Bayesian(seed=1)
    (first,) = strategy.propose(PLANE, known(12), [], 1)
    (after,) = strategy.propose(PLANE, known(12), [first], 1)
    assert apart(first, after) > 0.5


# Indifferent to units, robust against nonsense


@pytest.mark.parametrize(
    "change",
    [lambda s: s * 1024, lambda s: s / 3e7, lambda s: s + 1e4, lambda s: -7.5 + 100 * s],
)
def test_the_unit_of_the_metric_changes_no_proposal(change):
    history = known(14)
    changed = [Trial(trial.proposal, change(trial.score)) for trial in history]
    strategy = Bayesian(seed=1)
    assert strategy.propose(PLANE, changed, [], 3) == strategy.propose(PLANE, history, [], 3)


@pytest.mark.parametrize("nonsense", [None, math.nan, 1e300])
def test_a_corner_full_of_failures_is_left_alone(nonsense):
    def score(params: Params) -> float | None:
        return nonsense if float(params["x"]) > 5 else bowl(params)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trials = run(Bayesian(seed=0), PLANE, score, 25)
    failed = sum(float(trial.proposal.params["x"]) > 5 for trial in trials[5:])
    # A third of the plane fails. Of 20 random trials, 6 or fewer would lie there with probability
    # one half, but 25 come within 0.3 of the optimum at (4, 9) with probability 0.03.
    assert failed <= 6
    assert lowest([trial for trial in trials if trial.succeeded]) < 0.1


def test_one_tiny_score_does_not_break_the_model():
    history = list(known(10))
    history[3] = Trial(history[3].proposal, -1e300)
    assert len(Bayesian(seed=0).propose(PLANE, history, [], 3)) == 3


@pytest.mark.parametrize("score", [lambda params: 0.25, lambda params: None])
def test_with_nothing_to_learn_it_goes_on_filling_the_space(score):
    proposals = [trial.proposal for trial in run(Bayesian(seed=0, initial=1), PLANE, score, 17)]
    assert sixteenths(proposals[1:], "x", 1.0) == list(range(16))


def test_a_space_of_one_point_is_tried_once():
    space = Space.model_validate({"rate": 0.1, "kind": ["only"]})
    trials = run(Bayesian(seed=0), space, lambda params: 1.0, 5)
    assert [trial.proposal.params for trial in trials] == [{"rate": 0.1, "kind": "only"}]


# Cost


def test_fifty_trials_in_five_dimensions_cost_little_time():
    space = Space.model_validate(
        {f"x{i}": {"distribution": "uniform", "low": 0, "high": 1} for i in range(5)}
    )
    rng = np.random.default_rng(0)
    history = [Trial(Proposal(k, space.sample(rng)), float(rng.random())) for k in range(50)]
    Bayesian(seed=0).propose(space, history[:12], [], 1)  # imports
    seconds = []
    for _ in range(3):
        start = time.process_time()
        Bayesian(seed=0).propose(space, history, [], 1)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.5  # of one core; 0.1 where nothing else runs


def test_scikit_optimize_is_imported_only_when_it_is_needed():
    code = (
        "import sys; from nettuner.models.space import Space;"
        "from nettuner.tasks.strategies.bayesian import Bayesian;"
        "s = Space.model_validate({'x': [1, 2, 3]}); Bayesian(seed=0).size(s);"
        "assert 'skopt' not in sys.modules and 'sklearn' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("settings", [{"explore": -1}, {"initial": 0}, {"explore": math.inf}])
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ValidationError):
        Bayesian(seed=0, **settings)


# Given configurations, priors, repeats


def test_given_configurations_come_first_and_are_completed():
    strategy = Bayesian(seed=0, try_first=[{"x": 1, "y": 2.0}, {"y": 3.0}])
    first, second, third, fourth = strategy.propose(PLANE, [], [], 4)
    assert first.params == {"x": 1, "y": 2.0}
    assert second.params == {"x": 2.5, "y": 3.0}  # x in the middle of -5 to 10
    without = Bayesian(seed=0).propose(PLANE, [], [], 4)
    assert [third, fourth] == without[2:]


def test_a_given_configuration_is_not_tried_twice():
    strategy = Bayesian(seed=0, try_first=[{"x": 1, "y": 2}, {"x": 1.0, "y": 2.0}])
    assert distinct(strategy.propose(PLANE, [], [], 3)) == 3


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"z": 1}, "try_first[0]: must name dimensions of the space, got 'z'; it has: suit, rank,"),
        ({"rank": 5}, "try_first[0]: rank must be one of its values, 1 to 4, got 5; correct it"),
        (
            {"rank": 2, "joker": True},
            "try_first[0]: joker exists only when {'rank': [1, 4]}, got it beside {'rank': 2}; ",
        ),
    ],
)
def test_a_given_configuration_that_does_not_fit_is_one_line(given, line):
    with pytest.raises(ValueError, match=re.escape(line)) as error:
        Bayesian(seed=0, try_first=[given]).size(CARDS)
    assert "\n" not in str(error.value)


def bell(mean: float) -> Space:
    cut = {"distribution": "truncated-normal", "mean": mean, "std": 0.1, "low": 0, "high": 1}
    flat = {"distribution": "uniform", "low": 0, "high": 1}
    return Space.model_validate({"a": cut, "b": cut, "c": flat})


def valley(params: Params) -> float:
    return math.fsum((float(params[name]) - 0.7) ** 2 for name in "abc")


def test_a_good_prior_helps_and_a_wrong_one_is_overruled():
    seeds = range(4)

    def found(space: Space, trials: int) -> float:
        return max(lowest(run(Bayesian(seed=s, budget=25), space, valley, trials)) for s in seeds)

    flat = Space.model_validate(
        {name: {"distribution": "uniform", "low": 0, "high": 1} for name in "abc"}
    )
    # Six start points: those of the prior lie within 0.1 of the optimum in two dimensions of three.
    assert found(bell(0.7), 6) < found(flat, 6)
    # Beside the wrong prior the optimum is five standard deviations off in two dimensions: a draw
    # from it comes within 0.2 of both with probability 1e-6.
    assert found(bell(0.2), 25) < 0.01


def test_a_noisy_configuration_is_repeated_only_when_asked_to():
    space = Space.model_validate({"x": {"distribution": "integer", "low": 1, "high": 8}})
    rng = np.random.default_rng(0)

    def noisy(params: Params) -> float:
        return abs(int(params["x"]) - 3) + float(rng.normal(0, 0.5))

    assert len(run(Bayesian(seed=0), space, noisy, 30)) == 8
    strategy = Bayesian(seed=0, repeat=True)
    assert strategy.size(space) is None
    trials = run(strategy, space, noisy, 30)
    near = [trial for trial in trials if abs(int(trial.proposal.params["x"]) - 3) <= 1]
    # Three of eight values: 11 of 30 by chance, and 20 or more with probability 0.001.
    assert len(trials) == 30
    assert len(near) >= 20


# Earlier searches


def earlier(space: Space, score: Callable[[Params], float], total: int = 20) -> list[Trial]:
    return run(Bayesian(seed=9, budget=total), space, score, total)


def test_an_earlier_search_helps_at_once():
    warm = Bayesian(seed=0, earlier=[earlier(PLANE, branin)])
    (first,) = warm.propose(PLANE, [], [], 1)
    # One configuration in 60 is as good as this (measured with 100,000).
    assert branin(first.params) < 1.0


def test_an_earlier_search_on_shifted_data_still_helps():
    def moved(params: Params) -> float:
        return 3 * branin({"x": float(params["x"]) + 0.5, "y": float(params["y"]) - 0.5}) + 7

    cold = [lowest(run(Bayesian(seed=s, budget=20), PLANE, branin, 6)) for s in range(4)]
    old = [earlier(PLANE, moved)]
    warm = [
        lowest(run(Bayesian(seed=s, budget=20, earlier=old), PLANE, branin, 6)) for s in range(4)
    ]
    assert np.mean(warm) < np.mean(cold) / 2


def test_an_earlier_search_cannot_mislead_for_long():
    old = [earlier(PLANE, lambda params: -branin(params))]
    found = [
        lowest(run(Bayesian(seed=s, budget=30, earlier=old), PLANE, branin, 30)) for s in range(3)
    ]
    # 30 random points come within 0.5 of the optimum with probability 0.24: three of three by
    # chance once in 70.
    assert max(found) < 0.397887 + 0.5


def test_an_earlier_search_of_another_space_helps_as_far_as_it_fits():
    narrow = Space.model_validate(
        {
            "x": {"distribution": "uniform", "low": -20, "high": 4},
            "y": {"distribution": "uniform", "low": 0, "high": 15},
            "gone": [1, 2, 3],
        }
    )
    wide = Space.model_validate(
        {
            "x": {"distribution": "uniform", "low": -5, "high": 10},
            "y": {"distribution": "uniform", "low": 0, "high": 15},
            "new": ["a", "b"],
        }
    )
    old = earlier(narrow, branin, 30)
    assert any(float(trial.proposal.params["x"]) < -5 for trial in old)
    (first,) = Bayesian(seed=0, earlier=[old]).propose(wide, [], [], 1)
    assert wide.contains(first.params)
    assert branin(first.params) < 10  # a fifth of the plane is


@pytest.mark.parametrize("old", [[], [[]], [[Trial(Proposal(0, {"x": 1.0, "y": 1.0}))]]])
def test_an_earlier_search_that_says_nothing_changes_nothing(old):
    expected = Bayesian(seed=0).propose(PLANE, [], [], 4)
    assert Bayesian(seed=0, earlier=old).propose(PLANE, [], [], 4) == expected


def test_what_earlier_trials_know_of_their_noise_is_kept():
    trial = Trial(Proposal(3, {"x": 1.0, "gone": 2}), 2.0, scores=(1.0, 3.0))
    (kept,) = fitting(PLANE, [trial])
    assert (kept.proposal.params, kept.scores) == ({"x": 1.0}, (1.0, 3.0))


def test_a_lucky_mean_of_repeats_that_differ_is_not_followed():
    # On a line all means are 1 but one of 0; its repeats are either alike, or from -9 to 9.
    line = Space.model_validate({"x": SIDE})
    places = [0.1, 0.3, 0.5, 0.7, 0.9]

    def first_after(*lucky: float) -> float:
        history = [
            Trial(Proposal(k, {"x": x}), 1.0 + k / 100, scores=(1.0 + k / 100,) * 2)
            for k, x in enumerate(places)
        ]
        history[3] = Trial(Proposal(3, {"x": 0.7}), 0.0, scores=lucky)
        strategy = Bayesian(seed=0, initial=2, explore=0)
        (proposal,) = strategy.propose(line, history, [], 1)
        return float(proposal.params["x"])

    assert abs(first_after(0.0, 0.0) - 0.7) < 0.1
    assert abs(first_after(-9.0, 9.0) - 0.7) > 0.1


# Noise


def line(*scored: tuple[float, float]) -> list[Trial]:
    """Trials at these places of a line with these scores."""
    return [Trial(Proposal(k, {"x": x}), score) for k, (x, score) in enumerate(scored)]


LINE = Space.model_validate({"x": SIDE})
# A slope from 1 down to 0 along the line, and one trial of luck at its bad end.
SLOPE = [(k / 20, 1 - k / 20) for k in range(2, 21)]
LUCKY = (0.05, -0.2)


def test_where_a_repetition_differs_the_best_expected_trial_wins():
    strategy = Bayesian(seed=0)
    twice = line(*SLOPE, LUCKY, (0.05, 1.9))
    assert strategy.winner(LINE, twice).number >= 15  # of 0 to 18 along the slope
    assert strategy.winner(LINE, twice[::-1]) == strategy.winner(LINE, twice)


@pytest.mark.parametrize("more", [[], [(0.5, 0.5)]])
def test_where_none_differs_the_best_score_wins(more):
    trials = line(*SLOPE, LUCKY, *more)
    assert Bayesian(seed=0).winner(LINE, trials).score == -0.2


def test_the_winner_of_a_noisy_search_is_better_than_the_luckiest_trial():
    # True values of the winner and of the luckiest of 24 trials of a bowl, whose noise is as large
    # as the bowl is deep; five searches.
    def regrets(seed: int) -> tuple[float, float]:
        rng = np.random.default_rng(seed)

        def score(params: Params) -> float:
            return (float(params["x"]) - 0.3) ** 2 + float(rng.normal(0, 0.3))

        strategy = Bayesian(seed=seed, budget=24)
        trials = run(strategy, LINE, score, 24)
        luckiest = min(trials, key=lambda trial: trial.score or 0.0)
        winner = strategy.winner(LINE, trials)
        return tuple((t.proposal.params["x"] - 0.3) ** 2 for t in (winner, luckiest))

    mine, luck = np.mean([regrets(seed) for seed in range(5)], axis=0)
    assert mine < luck


def times_again(score: Callable[[Params], float], total: int, **settings: Any) -> int:
    """Trials of a search that repeat one."""
    trials = run(Bayesian(seed=0, budget=total, **settings), LINE, score, total)
    return total - distinct([trial.proposal for trial in trials])


def test_it_repeats_by_itself_where_outcomes_vary_and_at_most_once_where_they_do_not():
    rng = np.random.default_rng(0)

    def noisy(params: Params) -> float:
        return abs(float(params["x"]) - 0.3) + float(rng.normal(0, 0.3))

    assert times_again(noisy, 20) >= 2
    assert times_again(noisy, 20, repeat=False) == 0
    assert times_again(lambda params: abs(float(params["x"]) - 0.3), 20) <= 1


def test_as_long_as_nothing_is_known_of_noise_one_repetition_is_in_flight():
    rng = np.random.default_rng(0)
    trials = [Trial(p.proposal, float(rng.normal())) for p in known(12)]
    batch = Bayesian(seed=1, budget=30).propose(PLANE, trials, [], 8)
    tried = {repr(trial.proposal.params) for trial in trials}
    assert sum(repr(proposal.params) in tried for proposal in batch) <= 1


# Near duplicates


@pytest.mark.parametrize(
    "score",
    [lambda params: params["x"] + params["y"], lambda params: (params["x"] - 0.3) ** 2],
    ids=["corner", "valley"],
)
def test_what_the_model_cannot_tell_apart_is_not_tried(score):
    space = Space.model_validate({"x": SIDE, "y": SIDE})
    strategy = Bayesian(seed=1, budget=30, repeat=False)
    trials = run(strategy, space, score, 22)
    proposals = [trial.proposal for trial in trials] + strategy.propose(space, trials, [], 8)
    places = np.array([[proposal.params["x"], proposal.params["y"]] for proposal in proposals])
    near = np.linalg.norm(places[:, None] - places, axis=-1) + np.eye(30)
    # Before there was a least distance 16 of the first 22 were within 0.001 of another.
    assert near.min() > 0.001
