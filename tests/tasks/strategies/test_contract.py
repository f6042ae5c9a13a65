"""What every strategy must do, tried on each one found: a new file is tested by being there."""

from __future__ import annotations

import functools
import json
import math
import random
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from nettuner.models.space import Space
from nettuner.models.study import Proposal, Study, Trial, free_numbers
from nettuner.tasks import strategies
from nettuner.tasks.strategies import Strategy

SPACES: dict[str, dict[str, Any]] = {
    "numbers": {
        "rate": {"distribution": "log-uniform", "low": 1e-5, "high": 1e-1},
        "momentum": {"distribution": "uniform", "low": 0, "high": 1},
        "width": {"distribution": "integer", "low": 8, "high": 4096, "log": True},
        "seed_like": {"distribution": "integer", "low": 0, "high": 50_000},
    },
    "tails": {
        "normal": {"distribution": "normal", "mean": 0, "std": 2},
        "log_normal": {"distribution": "log-normal", "median": 0.1, "factor": 3},
        "cut": {"distribution": "truncated-normal", "mean": 0, "std": 1, "low": -1, "high": 0.5},
        "beta": {"distribution": "scipy", "name": "beta", "args": {"a": 2, "b": 5}},
        "poisson": {"distribution": "scipy", "name": "poisson", "args": {"mu": 4}},
    },
    "choices": {
        "flag": [True, False],
        "one_or_true": [1, True],
        "kind": {"distribution": "choice", "values": ["a", "b", "c"], "weights": [8, 1, 1]},
        "size": {"distribution": "choice", "values": [16, 64, 256], "ordered": True},
        "always": 0.5,
    },
    "conditional": {
        "optimizer": ["sgd", "adam"],
        "momentum": {
            "distribution": "uniform", "low": 0, "high": 1, "when": {"optimizer": "sgd"}
        },
        "nesterov": {"distribution": "choice", "values": [True, False],
                     "when": {"optimizer": "sgd"}},
        "depth": {"distribution": "integer", "low": 1, "high": 3},
        "second": {"distribution": "integer", "low": 4, "high": 6, "when": {"depth": [2, 3]}},
        "third": {
            "distribution": "integer", "low": 4, "high": 6,
            "when": {"depth": 3, "optimizer": "adam"},
        },
    },
    "finite": {
        "kind": ["a", "b"],
        "extra": {"distribution": "choice", "values": [1, 2, 3], "when": {"kind": "b"}},
        "flag": [True, False],
    },
    "one point": {"rate": 0.1},
}  # fmt: skip
# Settings under which a strategy is another one: its file, a slash, and a name for them.
VARIANTS: dict[str, dict[str, Any]] = {
    "population/tournament": {"selection": "tournament"},
    "population/asynchronous": {"asynchronous": True, "try_first": [{}]},
    "successive_halving/brackets": {"brackets": 2, "eta": 2, "try_first": [{}]},
}
FINITE_SIZE = 8  # (a, b1, b2, b3) x (True, False)
TRIALS = 6
ROUNDS = 3

Outcome = Callable[[Space, Proposal], float | None]


def well(space: Space, proposal: Proposal) -> float | None:
    units = (space[name].to_unit(value) for name, value in proposal.params.items())
    return math.fsum((u - 0.3) ** 2 for u in units)


def wildly(space: Space, proposal: Proposal) -> float | None:
    wild = {1: None, 3: math.nan, 4: math.inf, 5: 1e300, 6: -1e300}
    return wild.get(proposal.number % 8, well(space, proposal))


def never(space: Space, proposal: Proposal) -> float | None:
    return None


@functools.cache
def space_of(name: str) -> Space:
    return Space.model_validate(SPACES[name])


def file_of(name: str) -> str:
    return name.partition("/")[0]


def strategy_of(name: str, space: str, trials: int | None = TRIALS, **given: Any) -> Strategy:
    study = Study.model_validate(
        {
            "name": "contract",
            "learner": "mlp",
            "space": SPACES[space],
            "metric": "val_loss",
            "epochs": ROUNDS,
            "seed": 7,
            "strategy": {"name": file_of(name), **VARIANTS.get(name, {}), **given},
            "stop": {"trials": trials},
        }
    )
    return strategies.load(study)


def run(
    strategy: Strategy,
    space: Space,
    total: int,
    width: int = 1,
    outcome: Outcome = well,
    history: Iterable[Trial] = (),
) -> list[Trial]:
    """Trials in rounds of `width` until `total` are done or the strategy ends."""
    done = list(history)
    while len(done) < total:
        batch = strategy.propose(space, done, [], min(width, total - len(done)))
        if not batch:
            break
        done += [Trial(proposal, outcome(space, proposal)) for proposal in batch]
    return done


def alone(name: str, space: str, outcome: Outcome = well) -> tuple[Trial, ...]:
    """Twelve trials, one after the other."""
    return _alone(name, space, outcome)


@functools.cache
def _alone(name: str, space: str, outcome: Outcome) -> tuple[Trial, ...]:
    return tuple(run(strategy_of(name, space), space_of(space), 12, 1, outcome))


def proposals(trials: Iterable[Trial]) -> list[Proposal]:
    return [trial.proposal for trial in trials]


pytestmark = pytest.mark.parametrize("name", [*strategies.names(), *VARIANTS])
every_space = pytest.mark.parametrize("space", SPACES)


@every_space
@pytest.mark.parametrize("outcome", [well, wildly, never])
def test_every_configuration_is_inside_the_space_and_plain(name, space, outcome):
    trials = alone(name, space, outcome)
    assert trials
    for trial in trials:
        params = trial.proposal.params
        assert space_of(space).contains(params)
        assert {type(value) for value in params.values()} <= {bool, int, float, str}
        assert repr(json.loads(json.dumps(params))) == repr(params)
        assert list(params) == [key for key in SPACES[space] if key in params]


@every_space
def test_trials_are_numbered_from_zero(name, space):
    trials = alone(name, space)
    assert [trial.number for trial in trials] == list(range(len(trials)))


@every_space
def test_same_arguments_same_answer(name, space):
    history = alone(name, space)[:5]
    answers = [strategy_of(name, space).propose(space_of(space), history, [], 3) for _ in range(2)]
    assert repr(answers[0]) == repr(answers[1])


def test_arguments_are_left_as_they_were(name):
    history = list(alone(name, "conditional")[3:6]) + list(alone(name, "conditional")[:3])
    before = list(history)
    pending = [alone(name, "conditional")[7].proposal]
    strategy_of(name, "conditional").propose(space_of("conditional"), history, pending, 2)
    assert history == before
    assert len(pending) == 1


@every_space
def test_the_order_of_history_and_pending_makes_no_difference(name, space):
    trials, strategy = alone(name, space), strategy_of(name, space)
    history, pending = list(trials[:6]), proposals(trials[6:8])
    expected = strategy.propose(space_of(space), history, pending, 2)
    random.Random(3).shuffle(history)
    assert strategy.propose(space_of(space), history, pending[::-1], 2) == expected


@every_space
@pytest.mark.parametrize("width", [3, 12])
def test_width_changes_nothing_that_results_do_not_change(name, space, width):
    strategy = strategy_of(name, space)
    trials = run(strategy, space_of(space), 12, width)
    unaffected = 12 if strategy.asks == "ahead" else 3  # the start precedes all results
    assert proposals(trials)[:unaffected] == proposals(alone(name, space))[:unaffected]


@every_space
@pytest.mark.parametrize("finished", [3, 8])
@pytest.mark.parametrize("outcome", [well, wildly])
def test_a_resumed_search_gives_the_trials_it_would_have_given(name, space, finished, outcome):
    whole = alone(name, space, outcome)
    resumed = run(
        strategy_of(name, space), space_of(space), 12, 1, outcome, history=whole[:finished]
    )
    assert repr(proposals(resumed)) == repr(proposals(whole))


@every_space
def test_a_lost_start_is_asked_for_again_with_what_it_had(name, space):
    trials = alone(name, space)[:6]
    continued = {trial.proposal.parent for trial in trials}
    lost = max(k for k in range(min(3, len(trials))) if k not in continued)
    kept = [trial for trial in trials if trial.number != lost]
    strategy = strategy_of(name, space)
    # Where trials go on, one that is known to be good may come first.
    asked = strategy.propose(space_of(space), kept, [], 4 if strategy.continues == "itself" else 1)
    again = [replace(proposal, number=lost) for proposal in asked]
    assert trials[lost].proposal in again


@every_space
def test_a_spread_of_scores_breaks_no_promise(name, space):
    trials, strategy = alone(name, space), strategy_of(name, space)
    # Each score was the mean of two that are 0.2 apart, of every third trial none is known.
    history = [
        replace(t, scores=() if t.number % 3 == 0 else (t.score - 0.1, t.score + 0.1))
        for t in trials[:6]
    ]
    pending = proposals(trials[6:8])
    answer = strategy.propose(space_of(space), history, pending, 2)
    assert all(space_of(space).contains(proposal.params) for proposal in answer)
    assert strategy.propose(space_of(space), history[::-1], pending[::-1], 2) == answer
    assert [proposal.number for proposal in answer] == [
        proposal.number for proposal in strategy.propose(space_of(space), trials[:6], pending, 2)
    ]


@every_space
def test_what_is_pending_is_not_asked_for_again(name, space):
    strategy, pending = strategy_of(name, space), []
    for _ in range(4):
        pending += strategy.propose(space_of(space), [], pending, 2)
    numbers = [proposal.number for proposal in pending]
    assert numbers == list(range(len(numbers)))


def test_no_more_than_count_are_given(name):
    strategy = strategy_of(name, "numbers")
    for count in range(5):
        assert len(strategy.propose(space_of("numbers"), [], [], count)) == count


@every_space
def test_size_is_the_number_of_trials_given_in_all(name, space):
    strategy = strategy_of(name, space)
    size = strategy.size(space_of(space))
    if size is None and strategy.counts == "networks":  # how many go on depends on results
        trials = run(strategy, space_of(space), 200, width=4)
        members = {trial.proposal.member for trial in trials}
        assert members == set(range(len(members)))
        # One that tries nothing twice need not start the only point again.
        assert len(members) == TRIALS or space == "one point"
        assert not strategy.propose(space_of(space), trials, [], 4)
        return
    endless = size is None or size > 100
    trials = run(strategy, space_of(space), 40 if endless else 200, width=4)
    assert len(trials) == (40 if endless else size)
    assert endless == bool(strategy.propose(space_of(space), trials, [], 4))


def test_a_search_trains_no_fewer_rounds_than_it_says(name):
    strategy = strategy_of(name, "numbers")
    trials = run(strategy, space_of("numbers"), TRIALS if strategy.counts == "trials" else 200)
    until: dict[int, int] = {}
    for proposal in proposals(trials):
        network = proposal.number if proposal.member is None else proposal.member
        until[network] = max(until.get(network, 0), proposal.until or ROUNDS)
    fewest = strategy.fewest_rounds(TRIALS, ROUNDS)
    assert 0 < fewest <= sum(until.values()) <= TRIALS * ROUNDS


def test_a_strategy_that_is_not_random_ends_in_a_finite_space(name):
    strategy = strategy_of(name, "finite")
    if name == "random_search":
        assert strategy.size(space_of("finite")) is None
        return
    trials = run(strategy, space_of("finite"), 500, width=3, outcome=wildly)
    size = strategy.size(space_of("finite"))
    assert len(trials) == (len(trials) if size is None else size) < 500


@every_space
def test_weights_that_a_proposal_continues_from_were_needed(name, space):
    strategy = strategy_of(name, space)
    history: list[Trial] = []
    kept: set[int] = set()
    while len(history) < 18 and (batch := strategy.propose(space_of(space), history, [], 4)):
        assert {proposal.parent for proposal in batch} <= {None, *kept}
        for proposal in batch:
            history.append(Trial(proposal, wildly(space_of(space), proposal)))
            pending = [other for other in batch if other.number > proposal.number]
            kept = strategy.needed(history, pending) & {*kept, proposal.number}
    if strategy.continues == "nothing":  # nobody continues from anybody, a few may be the winner
        assert len(kept) <= 5


@every_space
def test_the_winner_has_the_best_score_or_is_needed(name, space):
    trials = alone(name, space, wildly)
    strategy = strategy_of(name, space)
    winner = strategy.winner(space_of(space), trials)
    scored = [trial for trial in trials if trial.succeeded]
    if winner is None:
        assert not scored
        return
    best = min(trial.score for trial in scored if trial.score is not None)
    assert winner.score == best or winner.number in strategy.needed(trials, [])
    assert strategy.winner(space_of(space), trials[::-1]) == winner
    assert strategy.winner(space_of(space), [replace(t, score=None) for t in trials]) is None


@pytest.mark.parametrize("seed", [0, 2**40])
def test_nobody_elses_random_numbers_change(name, seed):
    strategy = strategy_of(name, "conditional")
    history = alone(name, "conditional")[:6]
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - the generator that must be left alone
    mine, numpys = random.getstate(), repr(np.random.get_state())  # noqa: NPY002
    strategy.propose(space_of("conditional"), history, [], 2)
    assert random.getstate() == mine
    assert repr(np.random.get_state()) == numpys  # noqa: NPY002


def test_another_seed_gives_another_search(name):
    def first(seed: int) -> Any:
        strategy = strategy_of(name, "numbers")
        assert isinstance(strategy, BaseModel)
        other = strategy.model_copy(update={"seed": seed})
        return other.propose(space_of("numbers"), [], [], 3)

    assert first(1) != first(2)


def test_settings_are_described_and_checked(name):
    cls = strategies.find(file_of(name))
    assert issubclass(cls, BaseModel)
    for key, field in cls.model_fields.items():
        assert field.description, key
    with pytest.raises(ValidationError, match="no_such_setting"):
        strategy_of(name, "numbers", no_such_setting=1)
    with pytest.raises(ValidationError, match="seed"):
        strategy_of(name, "numbers", seed=3)
    with pytest.raises(ValidationError, match="frozen"):
        strategy_of(name, "numbers").seed = 3  # type: ignore[attr-defined]


@settings(max_examples=15, deadline=None)
@given(
    kept=st.sets(st.integers(0, 11)), flying=st.sets(st.integers(0, 11)), count=st.integers(1, 4)
)
def test_whatever_was_lost_new_trials_take_the_smallest_free_numbers(name, kept, flying, count):
    trials = alone(name, "conditional", wildly)
    history = [trial for trial in trials if trial.number in kept]
    pending = [trial.proposal for trial in trials if trial.number in flying - kept]
    given_ = strategy_of(name, "conditional").propose(
        space_of("conditional"), history, pending, count
    )
    free = free_numbers(history, pending, count)
    if name == "population/asynchronous":  # its members have numbers of their own
        free = [proposal.number for proposal in given_]
        assert not {trial.number for trial in history} & set(free)
        assert not {proposal.number for proposal in pending} & set(free)
        assert sorted(set(free)) == free
    assert [proposal.number for proposal in given_] == free[: len(given_)]
    assert all(space_of("conditional").contains(proposal.params) for proposal in given_)


def test_importing_it_pulls_in_nothing_heavy(name):
    name = file_of(name)
    code = f"import nettuner.tasks.strategies.{name}"
    report = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True, check=True
    ).stderr
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in report.splitlines()}
    assert f"nettuner.tasks.strategies.{name}" in report
    assert imported.isdisjoint({"prefect", "mlflow", "torch", "skopt", "sklearn", "pandas"})
