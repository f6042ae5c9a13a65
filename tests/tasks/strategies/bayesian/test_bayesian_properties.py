"""Bayesian search over random spaces and histories: always a sensible proposal."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nettuner.models.space import Space
from nettuner.models.study import Proposal, Trial
from nettuner.tasks.strategies.bayesian import Bayesian
from nettuner.tasks.strategies.bayesian.coordinates import identity

few_examples = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)

KINDS: list[dict[str, Any]] = [
    {"distribution": "uniform", "low": -3, "high": 5},
    {"distribution": "log-uniform", "low": 1e-6, "high": 1.0},
    {"distribution": "normal", "mean": 3, "std": 2},
    {"distribution": "log-normal", "median": 0.01, "factor": 10},
    {"distribution": "truncated-normal", "mean": 0, "std": 1, "low": -1, "high": 4},
    {"distribution": "integer", "low": 1, "high": 9},
    {"distribution": "integer", "low": 1, "high": 10**6, "log": True},
    {"distribution": "scipy", "name": "beta", "args": {"a": 2, "b": 5}},
    {"distribution": "scipy", "name": "poisson", "args": {"mu": 3}},
    {"distribution": "choice", "values": [True, False]},
    {"distribution": "choice", "values": ["a", 1, True, 2.5], "weights": [5, 1, 1, 1]},
    {"distribution": "choice", "values": [16, 32, 64, 128], "ordered": True},
    {"distribution": "fixed", "value": 7},
]


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    """One to six dimensions, some of which exist beside certain values of earlier ones only."""
    found: dict[str, dict[str, Any]] = {}
    for i in range(draw(st.integers(1, 6))):
        dimension = dict(draw(st.sampled_from(KINDS)))
        parents = [name for name, other in found.items() if "values" in other]
        if parents and draw(st.booleans()):
            parent = draw(st.sampled_from(parents))
            dimension["when"] = {parent: draw(st.sampled_from(found[parent]["values"]))}
        found[f"d{i}"] = dimension
    return Space.model_validate(found)


scores = st.one_of(
    st.floats(-10, 10),
    st.sampled_from([0.0, 1.0, 1e300, -1e300, 1e-300, 5e-324, math.nan, math.inf, -math.inf]),
    st.none(),
)


def told(proposal: Proposal, score: float | None, apart: float | None) -> Trial:
    """A trial whose score is the mean of two that are so far apart; of one if that is None."""
    if score is None or apart is None:
        return Trial(proposal, score)
    return Trial(proposal, score, scores=(score - apart / 2, score + apart / 2))


@st.composite
def asked(draw: st.DrawFn) -> tuple[Space, list[Trial], list[Proposal], int]:
    """A space, a history of it, trials in flight, and how many more are wanted."""
    import numpy as np

    space = draw(spaces())
    ended, flying = draw(st.integers(0, 25)), draw(st.integers(0, 4))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    drawn = [Proposal(k, space.sample(rng)) for k in range(ended + flying)]
    constant = draw(st.booleans())
    score = draw(scores) if constant else None
    apart = draw(st.sampled_from([None, 0.0, 0.5, 1e300]))
    history = [told(p, score if constant else draw(scores), apart) for p in drawn[:ended]]
    return space, history, drawn[ended:], draw(st.integers(1, 4))


@few_examples
@given(asked(), st.sampled_from([0, 1, 3]))
def test_every_proposal_is_a_new_configuration_of_the_space(question, explore):
    space, history, pending, count = question
    strategy = Bayesian(seed=3, explore=explore, repeat=False)
    proposals = strategy.propose(space, history, pending, count)
    size = strategy.size(space)
    tried = {identity(trial.proposal.params) for trial in history}
    tried |= {identity(proposal.params) for proposal in pending}
    assert len(proposals) == (count if size is None else min(count, size - len(tried)))
    assert all(space.contains(proposal.params) for proposal in proposals)
    for proposal in proposals:
        assert all(type(v) in (int, float, str, bool) for v in proposal.params.values())
    # A space that is not listed but has few values in reach may be drawn from again.
    new = {identity(proposal.params) for proposal in proposals}
    continuous = any(
        space[name].levels is None and len(space[name].when or {}) == 0 for name in space.names()
    )
    if size is not None or continuous:
        assert len(new) == len(proposals)
        assert new.isdisjoint(tried)


@few_examples
@given(asked(), st.randoms(use_true_random=False))
def test_the_order_in_which_trials_ended_makes_no_difference(question, random):
    space, history, pending, count = question
    expected = Bayesian(seed=3).propose(space, history, pending, count)
    shuffled, flying = list(history), list(pending)
    random.shuffle(shuffled)
    random.shuffle(flying)
    assert repr(Bayesian(seed=3).propose(space, shuffled, flying, count)) == repr(expected)


@few_examples
@given(asked(), st.sampled_from([2.0**20, 2.0**-20, 3.0]), st.sampled_from([0.0, 64.0]))
def test_unit_and_origin_of_the_metric_make_no_difference(question, factor, shift):
    space, history, pending, count = question
    plain = [t for t in history if t.score is None or abs(t.score) <= 10]
    # Whole hundredths: a shift must not make two scores equal that were not.
    plain = [
        told(t.proposal, t.score and round(t.score, 2), t.number % 3 / 4 or None) for t in plain
    ]
    moved = [
        Trial(
            t.proposal,
            None if t.score is None else t.score * factor + shift,
            scores=tuple(score * factor + shift for score in t.scores),
        )
        for t in plain
    ]
    expected = Bayesian(seed=3).propose(space, plain, pending, count)
    assert repr(Bayesian(seed=3).propose(space, moved, pending, count)) == repr(expected)


def test_two_hundred_dimensions():
    space = Space.model_validate({f"x{i}": KINDS[i % len(KINDS)] for i in range(200)})
    strategy = Bayesian(seed=0, budget=40)
    history: list[Trial] = []
    for k in range(14):
        (proposal,) = strategy.propose(space, history, [], 1)
        assert space.contains(proposal.params)
        history.append(Trial(proposal, math.sin(k)))


def test_a_history_of_another_space_is_one_line():
    space = Space.model_validate({"x": KINDS[0]})
    for params in ({"y": 1.0}, {"x": 99.0}, {"x": "a"}, {}):
        with pytest.raises(ValueError, match="must fit the space, got trial 0 with") as error:
            Bayesian(seed=0).propose(space, [Trial(Proposal(0, params), 1.0)], [], 1)
        assert "\n" not in str(error.value)
