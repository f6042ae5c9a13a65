"""Draws of a training step: the same alone and in a stack, different in all else, and fair."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.func import vmap
from torch.nn import functional

from nettuner.models.stacks.program import Recorded
from nettuner.models.training.randomness import NEXT_DRAW, SPREAD, Randomness, step_keys

X = torch.linspace(-1, 1, 2 * 4 * 3 * 5).view(2, 4, 3, 5)
MASK = torch.arange(3)[:, None] >= torch.arange(3)
KEYS = step_keys(np.array([1, 2, 3], np.uint32), np.arange(2), 0)


def attention(x, **more):
    return functional.scaled_dot_product_attention(x, 2 * x, x.cos(), dropout_p=0.5, **more)


def two_kinds(x):
    return torch.rand_like(x) + functional.dropout(x, 0.3) + torch.randn(3, 5)


KNOWN = {
    "dropout": lambda x: functional.dropout(x, 0.3),
    "dropout in place": lambda x: functional.dropout(torch.rand_like(x), 0.3, inplace=True),
    "torch.dropout": lambda x: torch.dropout(x, p=0.3, train=True),
    "nn.Dropout": nn.Dropout(0.3),
    "dropout1d": lambda x: functional.dropout1d(x.view(10, 12, 1), 0.3),
    "dropout2d": lambda x: functional.dropout2d(x.view(10, 12, 1, 1), 0.3),
    "dropout3d": lambda x: functional.dropout3d(x.view(10, 12, 1, 1, 1), 0.3),
    "rand": lambda x: torch.rand(3, 5) + x,
    "rand of a size": lambda x: torch.rand(size=(3, 5)) + x,
    "rand_like": torch.rand_like,
    "randn": lambda x: torch.randn((3, 5)) + x,
    "randn_like": torch.randn_like,
    "attention": attention,
    "attention backwards alone": lambda x: attention(x, is_causal=True),
    "attention through a mask": lambda x: attention(x, attn_mask=MASK),
    "two kinds": two_kinds,
}


def drawn(function, key, x=X, mode=Randomness):
    randomness = mode()
    randomness.begin(key)
    with randomness:
        return function(x)


def recorded():
    return Recorded()


def numbers(function, seed=0, step=0, network=0):
    """Of one step, as an array."""
    key = step_keys(np.array([seed], np.uint32), np.array([step]), network)[0, 0]
    return drawn(lambda _: function(), key).double().numpy()


@pytest.mark.parametrize("mode", [Randomness, recorded])
@pytest.mark.parametrize("name", KNOWN)
def test_a_key_gives_the_same_draws_alone_and_beside_others(name, mode):
    together = vmap(lambda key: drawn(KNOWN[name], key, mode=mode))(KEYS[0])
    for member, key in enumerate(KEYS[0]):
        once, twice = drawn(KNOWN[name], key), drawn(KNOWN[name], key)
        assert torch.equal(once, twice)
        torch.testing.assert_close(together[member], once, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", KNOWN)
def test_another_key_gives_other_draws(name):
    found = [drawn(KNOWN[name], key) for key in KEYS.flatten()]
    for k, one in enumerate(found):
        assert not any(torch.equal(one, other) for other in found[:k])


def test_torchs_own_generator_is_neither_asked_nor_moved():
    before = torch.get_rng_state()
    for function in KNOWN.values():
        drawn(function, KEYS[0, 0])
    assert torch.equal(torch.get_rng_state(), before)


def test_steps_members_networks_and_draws_have_numbers_of_their_own():
    # 39 sets of 75 numbers with 2^24 values: two agree in one place by chance once in 2 * 10^5
    # times, and in three places any of the 741 pairs do once in 10^14 times.
    sets = [
        numbers(lambda: torch.rand(3, 75), seed, step, network)[0]
        for seed in (0, 1, 2**31)
        for step in (0, 1, 2, 1000)
        for network in (0, 1, 2)
    ]
    sets += list(numbers(lambda: torch.stack([torch.rand(75) for _ in range(4)])))[1:]
    for k, one in enumerate(sets):
        assert all(np.sum(one == other) <= 2 for other in sets[:k])


@given(st.integers(1, 1000))
def test_a_later_draw_continues_no_earlier_one(draws):
    # All draws are windows on one long sequence: here, how far apart they begin.
    shift = draws * NEXT_DRAW * pow(SPREAD, -1, 2**32) % 2**32
    assert min(shift, 2**32 - shift) > 2_000_000


# What is drawn


COUNT = 100_000


def within(found, wanted, sd):
    """Six standard deviations: a single check fails by chance once in 5 * 10^8 times."""
    return abs(found - wanted) < 6 * sd


def test_uniform_numbers_have_their_moments_and_fill_their_range_evenly():
    u = numbers(lambda: torch.rand(COUNT))
    assert u.min() >= 0
    assert u.max() < 1
    assert within(u.mean(), 1 / 2, math.sqrt(1 / 12 / COUNT))
    # The square of a deviation has mean 1/12 and variance 1/80 - 1/144 = 1/180.
    assert within(((u - 0.5) ** 2).mean(), 1 / 12, math.sqrt(1 / 180 / COUNT))
    counts = np.histogram(u, 20, (0, 1))[0]
    assert all(within(c, COUNT / 20, math.sqrt(COUNT * 0.05 * 0.95)) for c in counts)


def test_normal_numbers_have_the_moments_of_a_standard_normal():
    z = numbers(lambda: torch.randn(COUNT))
    assert np.isfinite(z).all()
    # The moments 1, 2, 3, 4 have means 0, 1, 0, 3 and variances 1, 2, 15, 96.
    for power, mean, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert within((z**power).mean(), mean, math.sqrt(variance / COUNT))
    assert within(np.mean(np.abs(z) < 1), 0.68269, math.sqrt(0.6827 * 0.3173 / COUNT))


@pytest.mark.parametrize("rate", [0.01, 0.25, 0.5, 0.9])
def test_dropout_keeps_its_share_and_makes_up_for_the_rest(rate):
    kept = numbers(lambda: functional.dropout(torch.ones(COUNT), rate))
    assert set(np.unique(kept)) == {0.0, np.float64(np.float32(1 / (1 - np.float32(rate))))}
    assert kept.max() == pytest.approx(1 / (1 - rate), rel=1e-6)
    share = np.mean(kept > 0)
    assert within(share, 1 - rate, math.sqrt(rate * (1 - rate) / COUNT))


@pytest.mark.parametrize("axis", ["positions", "members", "steps", "networks", "draws"])
def test_neighbours_are_uncorrelated(axis):
    def of(seed=0, step=0, network=0):
        return numbers(lambda: torch.rand(COUNT), seed, step, network)

    def second():
        torch.rand(COUNT)
        return torch.rand(COUNT)

    one = of()
    other = {
        "positions": lambda: np.roll(one, 1),
        "members": lambda: of(seed=1),
        "steps": lambda: of(step=1),
        "networks": lambda: of(network=1),
        "draws": lambda: numbers(second),
    }[axis]()
    # The correlation of independent numbers has the standard deviation 1 / sqrt(n).
    assert within(np.corrcoef(one, other)[0, 1], 0, 1 / math.sqrt(COUNT))


def test_a_position_is_fair_over_steps_and_over_members():
    steps = step_keys(np.array([5], np.uint32), np.arange(COUNT), 0)[:, 0]
    members = step_keys(np.arange(COUNT, dtype=np.uint32), np.array([3]), 0)[0]
    for keys in (steps, members):
        u = vmap(lambda key: drawn(lambda _: torch.rand(1), key))(keys).double().numpy()[:, 0]
        assert within(u.mean(), 1 / 2, math.sqrt(1 / 12 / COUNT))
        assert within(np.corrcoef(u[1:], u[:-1])[0, 1], 0, 1 / math.sqrt(COUNT))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_dropout_of_everything_leaves_zeros_and_of_nothing_changes_no_bit(dtype):
    x = X.to(dtype)
    assert torch.equal(drawn(lambda x: functional.dropout(x, 1.0), KEYS[0, 0], x), 0 * x.abs())
    for rate in (0, 0.0, torch.tensor(0.0)):
        found = drawn(lambda x, r=rate: functional.dropout(x, r), KEYS[0, 0], x)
        assert torch.equal(found, x)
        assert found.dtype == dtype


@pytest.mark.parametrize("training", [False, True])
def test_dropout_in_eval_mode_changes_nothing(training):
    module = nn.Dropout(0.5).train(training)
    assert torch.equal(drawn(module, KEYS[0, 0]), X) != training


@pytest.mark.parametrize(
    ("function", "shape", "masked"),
    [
        # As torch has it: batch and channels, where an input has a batch.
        (functional.dropout1d, (6, 7), (6, 1)),
        (functional.dropout1d, (5, 6, 7), (5, 6, 1)),
        (functional.dropout2d, (5, 6, 7), (5, 6, 1)),
        (functional.dropout2d, (4, 5, 6, 7), (4, 5, 1, 1)),
        (functional.dropout3d, (5, 2, 6, 7), (5, 1, 1, 1)),
        (functional.dropout3d, (4, 5, 2, 6, 7), (4, 5, 1, 1, 1)),
    ],
)
@pytest.mark.filterwarnings("ignore:dropout2d")
def test_whole_channels_are_dropped(function, shape, masked):
    ones = torch.ones(shape)
    torch.manual_seed(0)
    for found in (function(ones, 0.5), drawn(lambda x: function(x, 0.5), KEYS[0, 0], ones)):
        channels = found[tuple(slice(None) if n > 1 else slice(1) for n in masked)]
        assert channels.shape == masked
        assert torch.equal(found, channels.expand(shape))
        assert set(found.unique().tolist()) == {0.0, 2.0}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_numbers_have_the_type_that_was_asked_for(dtype):
    for function in (torch.rand, torch.randn):
        assert drawn(lambda _, f=function: f(3, dtype=dtype), KEYS[0, 0]).dtype == dtype
        like = drawn(lambda _, f=function: f(2, 3), KEYS[0, 0])
        assert (like.shape, like.dtype) == ((2, 3), torch.float32)
    assert drawn(lambda x: torch.randn_like(x), KEYS[0, 0], X.to(dtype)).dtype == dtype


@pytest.mark.parametrize("size", [(), (0,), (1,), (2, 3)])
def test_numbers_have_the_shape_that_was_asked_for(size):
    forms = [lambda _: torch.rand(size), lambda _: torch.rand(size=size)]
    forms += [lambda _: torch.rand(*size), lambda _: torch.rand(list(size))] if size else []
    forms += [lambda _: torch.rand(np.int64(size[0]))] if len(size) == 1 else []
    assert {drawn(form, KEYS[0, 0]).shape for form in forms} == {torch.Size(size)}


def test_a_generator_of_ones_own_is_left_alone():
    def draw(_):
        return torch.rand(3, generator=torch.Generator().manual_seed(1))

    assert torch.equal(drawn(draw, KEYS[0, 0]), draw(None))


# In step


def after(function, x=X):
    """What is drawn after a function, which itself may draw nothing."""

    def both(x):
        function(x)
        return torch.rand(4)

    return both


RATES = [0, 0.0, 0.4, torch.tensor(0.0), torch.tensor(0.4)]


@pytest.mark.parametrize("mode", [Randomness, recorded])
@pytest.mark.parametrize(
    "function", [functional.dropout, functional.dropout2d, torch.dropout, "attention"]
)
def test_whatever_its_rate_dropout_keeps_later_draws_in_step(function, mode):
    def at(rate):
        if function == "attention":
            return lambda x: functional.scaled_dot_product_attention(x, x, x, dropout_p=rate)
        return lambda x: function(x, rate, True)

    first, *others = [drawn(after(at(rate)), KEYS[0, 0], mode=mode) for rate in RATES]
    assert all(torch.equal(first, other) for other in others)
    eval_mode = drawn(after(lambda x: functional.dropout(x, 0.4, False)), KEYS[0, 0], mode=mode)
    assert torch.equal(first, eval_mode)


# Where nothing may be random


@pytest.mark.parametrize("name", KNOWN)
def test_a_draw_where_nothing_may_be_random_is_an_error(name):
    with Randomness(), pytest.raises(RuntimeError, match="nothing may be random here, got a draw"):
        KNOWN[name](X)


@pytest.mark.parametrize("mode", [Randomness, recorded])
def test_what_drops_nothing_is_allowed_everywhere(mode):
    with mode():
        assert torch.equal(functional.dropout(X, 0.5, False), X)
        found = functional.scaled_dot_product_attention(X, X, X)
    torch.testing.assert_close(found, functional.scaled_dot_product_attention(X, X, X))


# Attention


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"is_causal": True},
        {"scale": 0.3},
        {"attn_mask": MASK},
        {"attn_mask": MASK & (torch.arange(3) > 0)[:, None]},  # the first sees nothing
        {"attn_mask": torch.where(MASK, 0.5, -math.inf)},
        {"attn_mask": torch.full((3, 3), -math.inf)},
    ],
)
def test_attention_written_out_is_torchs_and_so_are_its_slopes(more):
    found = []
    for mode in (None, recorded):
        x = X.clone().requires_grad_()
        if mode is None:
            y = functional.scaled_dot_product_attention(x, 2 * x, x.cos(), **more)
        else:
            with mode():
                y = functional.scaled_dot_product_attention(x, 2 * x, x.cos(), **more)
        y.square().sum().backward()
        found += [y.detach(), x.grad]
    torch.testing.assert_close(found[2], found[0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found[3], found[1], rtol=1e-4, atol=1e-5)
