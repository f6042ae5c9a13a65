"""A member of a stack ends as it would have alone, whatever trains beside it."""

from __future__ import annotations

import functools
import random
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, get_args

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from nettuner.models import learners
from nettuner.models.data.dataset import Dataset, Split
from nettuner.models.data.labelled import Labelled
from nettuner.models.data.load import load
from nettuner.models.data.preprocessing import Preprocessing, Table
from nettuner.models.data.sources.builtin import Builtin
from nettuner.models.data.sources.numbers import Numbers
from nettuner.models.data.sources.sentences import Sentences
from nettuner.models.learner import Hyperparameter, Learner, Supervised
from nettuner.models.schedules import SCHEDULES
from nettuner.models.stacks import program
from nettuner.models.stacks.device_stack import DeviceStack
from nettuner.models.stacks.program import Convolution, UnstackableError
from nettuner.models.stacks.stack import Stack
from nettuner.models.stacks.training import fit_stack
from nettuner.models.study import Length
from nettuner.models.training.loop import facts, fit, prepared
from nettuner.models.training.losses import DivergedError

pytestmark = pytest.mark.usefixtures("one_thread")

REVIEWS = Path(__file__).parents[1] / "learners" / "reviews.csv"
OPTIMIZERS = ["sgd", "adam", "adamw", "rmsprop"]
SETS = [
    Builtin(name="iris"),
    Builtin(name="diabetes"),
    Builtin(name="digits"),
    Numbers(rows=40, longest=4),
    Sentences(path=str(REVIEWS), text="review"),
]


def few(split, count):
    return Split(split.inputs[:count], split.targets[:count])


@functools.cache
def small(source):
    """The first 23 rows to train on, and 10 to validate."""
    data = load(Builtin(name=source) if isinstance(source, str) else source)
    return replace(data, train=few(data.train, 23), validation=few(data.validation, 10))


def column(inputs, targets):
    return Split(np.array(inputs, np.float32)[:, None], np.array(targets, np.float32))


NOTHING = Labelled(np.zeros((0, 1)), ())


def one_row(train):
    preprocessing = Preprocessing(Table(()))
    return Dataset(
        train,
        train,
        train,
        "regression",
        (1,),
        (),
        preprocessing,
        np.zeros(1),
        NOTHING,
        NOTHING,
        "0" * 16,
    )


# With inputs 1 and targets 0 the loss of one weight w is w^2, its slope 2 w.
ONES = one_row(column([1, 1], [0, 0]))


class Weight(Supervised):
    """One weight that starts at 1."""

    def build(self):
        layer = nn.Linear(1, 1, bias=False)
        nn.init.ones_(layer.weight)
        return layer


class Normed(Supervised):
    """Buffers of float and of int, and dropout by a module."""

    def build(self, *, hidden: int = 6):
        # A bias would be cancelled by the norm: its gradient is nothing but rounding.
        return nn.Sequential(
            nn.Linear(self.data.features, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(hidden, self.data.outputs),
        )


class Tied(Supervised):
    """The same weight forth and back, under two names."""

    def build(self):
        forth, back = nn.Linear(4, 4), nn.Linear(4, 4)
        back.weight = forth.weight
        return nn.Sequential(forth, nn.Tanh(), back, nn.Linear(4, self.data.outputs))


class Frozen(Supervised):
    """The first layer stays as it began, different for each seed."""

    def build(self):
        first = nn.Linear(4, 5).requires_grad_(False)
        return nn.Sequential(first, nn.Tanh(), nn.Linear(5, self.data.outputs))


class Spare(nn.Module):
    """Parameters that no answer depends on stand before, between and after the others."""

    def __init__(self, outputs):
        super().__init__()
        self.before = nn.Parameter(torch.ones(3))
        self.first = nn.Linear(4, 5)
        self.between = nn.Linear(2, 2)
        self.second = nn.Linear(5, outputs)
        self.after = nn.Parameter(torch.ones(()))

    def forward(self, inputs):
        return self.second(self.first(inputs).tanh())


class WithSpare(Supervised):
    def build(self):
        return Spare(self.data.outputs)


class Average(nn.Module):
    """Keeps a running mean in a buffer that is replaced, and one that a checkpoint leaves out."""

    def __init__(self, outputs):
        super().__init__()
        self.output = nn.Linear(4, outputs)
        self.register_buffer("mean", torch.zeros(4))
        self.register_buffer("noise", torch.randn(4), persistent=False)

    def forward(self, inputs):
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * inputs.mean(0)
        return self.output(inputs - self.mean + self.noise)


class Averaged(Supervised):
    def build(self):
        return Average(self.data.outputs)


class Penalised(Supervised):
    """The slope of the answers, differentiated once more."""

    def build(self):
        return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, self.data.outputs))

    def loss(self, network, networks, batch, now):
        loss = super().loss(network, networks, batch, now)
        noisy = batch[0] + torch.zeros_like(batch[0]).requires_grad_()
        (slopes,) = torch.autograd.grad(networks[network](noisy).sum(), noisy, create_graph=True)
        return loss + slopes.square().mean()


class LastState(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.cells = nn.GRU(1, 3, batch_first=True)
        self.output = nn.Linear(3, outputs)

    def forward(self, inputs):
        return self.output(self.cells(inputs[:, :, None])[0][:, -1])


class Recurrent(Supervised):
    """Its layers know their weights by more than their names."""

    def build(self):
        return LastState(self.data.outputs)


class Attending(nn.Module):
    """Attention without dropout first, then dropout: both are drawn where they are alone."""

    def __init__(self, outputs):
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, dropout=0.0, batch_first=True)
        self.output = nn.Linear(4, outputs)

    def forward(self, inputs, dropout=0.0):
        words = inputs[:, None] * torch.eye(4)
        found, _ = self.attention(words, words, words, need_weights=False)
        return self.output(functional.dropout(found.mean(1), dropout, self.training))


class Attentive(Supervised):
    live: ClassVar = {**Supervised.live, "dropout": Hyperparameter(float, 0.0)}

    def build(self):
        return Attending(self.data.outputs)


class Images(Supervised):
    """Convolutions of many kinds: without bias, in groups, in steps, of one image at a time."""

    def build(self):
        return nn.Sequential(
            nn.Conv2d(1, 4, 3, bias=False),
            nn.ReLU(),
            nn.Conv2d(4, 4, 3, stride=2, padding=1, groups=2),
            nn.Conv2d(4, 4, (3, 1), padding="same"),
            nn.Flatten(),
            nn.Dropout(0.1),
            nn.Linear(36, self.data.outputs),
        )


class OneByOne(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.layers = layers

    def forward(self, inputs):
        return torch.stack([self.layers(image) for image in inputs])


class Single(Supervised):
    """Convolves images without a batch axis, one after another."""

    def build(self):
        layers = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(0), nn.Linear(72, self.data.outputs))
        return OneByOne(layers)


class Rivals(Learner):
    """Two networks, both of which behave differently in training: one judges the other."""

    several = ("maker", "judge")
    live: ClassVar = {"scale": Hyperparameter(float, 1.0)}
    metrics: ClassVar = {"loss": "minimize"}

    def build(self):
        maker = nn.Sequential(
            nn.Linear(4, 4, bias=False), nn.BatchNorm1d(4), nn.Linear(4, self.data.features)
        )
        judge = nn.Sequential(
            nn.Linear(self.data.features, 8),
            nn.Tanh(),  # else the norm would cancel whatever the maker adds
            nn.BatchNorm1d(8),
            nn.Dropout(0.3),
            nn.Linear(8, 1),
        )
        return {"maker": maker, "judge": judge}

    def loss(self, network, networks, batch, now):
        made = networks["maker"](now["scale"] * torch.randn(len(batch[0]), 4))
        if network == "maker":
            return -networks["judge"](made).mean()
        real, fake = networks["judge"](batch[0].flatten(1)), networks["judge"](made.detach())
        return functional.softplus(-real).mean() + functional.softplus(fake).mean()

    def evaluate(self, networks, inputs, targets):
        made = networks["maker"](torch.randn(len(inputs), 4))
        return {"loss": (made.mean() - inputs.mean()).abs().item()}


CPU = torch.device("cpu")
# The stack of a CPU; that of accelerators, which a CPU can train too; and on a GPU where one is.
KINDS = {"cpu": (Stack, CPU), "as on a device": (DeviceStack, CPU)}
if torch.cuda.is_available():
    KINDS["gpu"] = (DeviceStack, torch.device("cuda"))


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def stacked(
    learner, params, folder, data, length, *, programs=None, way="groups", kind="cpu", **more
):
    """What `fit_stack` tells of each member, and the states at the end."""
    start = more.pop("start", None)
    seeds = more.pop("seeds", [(3, k) for k in range(len(params))])
    programs = {} if programs is None else programs
    make, device = KINDS[kind]
    stack = make(learner, params, seeds, programs, convolution=way, device=device)
    if start:
        for k in range(len(params)):
            more["done"] = stack.load(k, start(k))
    told = [found for _, found in fit_stack(stack, data, length, **more)]
    paths = [folder / f"stacked-{k}" for k in range(len(params))]
    for k, path in enumerate(paths):
        stack.save(k, path, more.get("until") or length.rounds)
    return [[found[k] for found in told] for k in range(len(params))], [*map(load_file, paths)]


def alone(learner, params, path, data, length, seed, **more):
    found = list(fit(learner, data, params, length, seed=seed, end=path, **more))
    return [metrics for _, metrics in found], load_file(path)


def assert_same_states(left, right, rtol=2e-3, atol=2e-4):
    """What one of them lacks is zero in the other: a moment that was never needed."""
    for key in left.keys() | right.keys():
        one, other = left.get(key), right.get(key)
        if one is None or other is None:
            assert key.endswith("momentum_buffer")
            assert not torch.any(other if one is None else one), key
        else:
            torch.testing.assert_close(one, other, rtol=rtol, atol=atol, msg=lambda m, k=key: k + m)


def assert_as_alone(make, params, folder, data, length=Length(2), **how):  # noqa: B008
    learner = prepared(make, data)
    found, states = stacked(learner, params, folder, data, length, **how)
    for k, given_ in enumerate(params):
        wanted, state = alone(learner, given_, folder / "alone", data, length, (3, k))
        assert found[k] == [pytest.approx(metrics, rel=2e-3, abs=2e-4) for metrics in wanted]
        assert_same_states(states[k], state)


def takes(name, data):
    try:
        learners.find(name)(facts(load(data))).networks({})
    except ValueError:
        return False
    return True


PAIRS = [(name, data) for name in learners.names() for data in SETS if takes(name, data)]
RATES = ({"learning_rate": 0.003, "weight_decay": 0.1}, {"learning_rate": 0.01, "weight_decay": 0})


@pytest.mark.parametrize(
    ("name", "data"), PAIRS, ids=[f"{n}-{getattr(d, 'name', d.source)}" for n, d in PAIRS]
)
def test_a_member_of_every_learner_found_ends_as_it_would_have_alone(name, data, kind, tmp_path):
    make = learners.find(name)
    own = {k: h for k, h in make.live.items() if h.low == 0 and h.high <= 1}
    params = [dict(RATES[k], batch_size=8, **dict.fromkeys(own, 0.3 * k)) for k in (0, 1)]
    assert_as_alone(make, params, tmp_path, small(data), kind=kind)


@pytest.mark.parametrize("way", get_args(Convolution))
@pytest.mark.parametrize("make", [learners.find("cnn"), Images, Single])
def test_every_way_to_convolve_gives_what_a_member_would_give_alone(make, way, kind, tmp_path):
    params = [{**rates, "batch_size": 10} for rates in RATES]
    assert_as_alone(make, params, tmp_path, small("digits"), Length(2, 2, 3), way=way, kind=kind)


@pytest.mark.parametrize(
    ("make", "optimizer"),
    [
        *[(Normed, optimizer) for optimizer in OPTIMIZERS],
        *[(WithSpare, optimizer) for optimizer in OPTIMIZERS],
        (Tied, "adam"),
        (Frozen, "adamw"),
        (Averaged, "rmsprop"),
        (Rivals, "adam"),
    ],
)
def test_a_member_of_a_users_learner_ends_as_it_would_have_alone(make, optimizer, kind, tmp_path):
    params = [{**rates, "batch_size": 9, "optimizer": optimizer} for rates in RATES]
    assert_as_alone(make, params, tmp_path, small("iris"), kind=kind)


def test_attention_without_dropout_keeps_later_draws_in_step(kind, tmp_path):
    params = [{"dropout": rate, "batch_size": 9} for rate in (0.0, 0.5)]
    assert_as_alone(Attentive, params, tmp_path, small("iris"), kind=kind)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    kind=st.sampled_from([*KINDS]),
    optimizer=st.sampled_from(OPTIMIZERS),
    schedule=st.sampled_from(SCHEDULES),
    batch_size=st.integers(2, 30),
    length=st.sampled_from([Length(2), Length(2, 3, 5)]),
    members=st.lists(
        st.fixed_dictionaries(
            {
                "learning_rate": st.floats(1e-4, 0.03),
                "momentum": st.sampled_from([0.0, 0.5, 0.9]),
                "beta1": st.sampled_from([0.0, 0.9]),
                "beta2": st.sampled_from([0.9, 0.999]),
                "weight_decay": st.sampled_from([0.0, 0.1]),
                "dropout": st.sampled_from([0, 0.0, 0.3]),
                "label_smoothing": st.sampled_from([0.0, 0.2, 1.0]),
                "warmup_steps": st.integers(0, 6),
                "peak_at": st.sampled_from([0.2, 0.5]),
                "step_every": st.sampled_from([0.2, 0.5]),
                "clip_norm": st.sampled_from([0, 0.1, 1.0]),
                "ema": st.sampled_from([0.0, 0.5, 0.95]),
            }
        ),
        min_size=2,
        max_size=9,
    ),
)
def test_every_member_has_hyperparameters_of_its_own(
    tmp_path, kind, optimizer, schedule, batch_size, length, members
):
    shared = {"optimizer": optimizer, "batch_size": batch_size, "hidden": 5, "activation": "tanh"}
    shared["schedule"] = schedule
    params = [member | shared for member in members]
    assert_as_alone(learners.find("mlp"), params, tmp_path, small("iris"), length, kind=kind)


TODAY = {"schedule": "cosine", "warmup_steps": 2, "clip_norm": 0.2, "ema": 0.7}


@pytest.mark.parametrize(
    ("make", "data"), [(Normed, "iris"), (WithSpare, "iris"), (Frozen, "iris"), (Rivals, "iris")]
)
def test_a_stack_of_one_with_todays_hyperparameters_is_training_alone(make, data, kind, tmp_path):
    assert_as_alone(make, [{"batch_size": 9, **TODAY}], tmp_path, small(data), kind=kind)


@pytest.mark.parametrize("smoothing", [(0.0, 0.0), (0.1, 0.3)])
def test_members_weigh_classes_as_they_would_alone(smoothing, kind, tmp_path):
    params = [
        {"class_weight": "balanced", "label_smoothing": smooth, "batch_size": 9, **rates}
        for smooth, rates in zip(smoothing, RATES, strict=True)
    ]
    assert_as_alone(Normed, params, tmp_path, small("iris"), kind=kind)


# Half precision: rounded in another order, a step leads a little elsewhere.
HALF = ["bf16", "fp16"]
SHARE_OF_A_STEP = {"bf16": 0.1, "fp16": 0.03}
FALLS = {"optimizer": "sgd", "momentum": 0.0}


def flat(state):
    found = [t.flatten() for key, t in sorted(state.items()) if key.startswith("network/")]
    return torch.cat([tensor.double() for tensor in found if tensor.is_floating_point()])


def assert_steps_as_alone(make, params, folder, data, precision, **how):
    """Four steps, of which fp16 skips the first ones, lead to the same place as alone, up to a
    share of their length; steps are skipped, and scales are, just as alone."""
    learner, length = prepared(make, data), Length(2, 2, 4)
    params = [{**FALLS, **given_, "precision": precision} for given_ in params]
    found, states = stacked(learner, params, folder, data, length, **how)
    for k, given_ in enumerate(params):
        wanted, state = alone(learner, given_, folder / "alone", data, length, (3, k))
        still = {**given_, "learning_rate": 0.0}
        _, before = alone(learner, still, folder / "still", data, length, (3, k))
        moved = torch.dist(flat(state), flat(before))
        assert torch.dist(flat(states[k]), flat(state)) < SHARE_OF_A_STEP[precision] * moved
        assert found[k] == [pytest.approx(metrics, rel=0.02, abs=0.02) for metrics in wanted]
        scales = [key for key in state if key.startswith("scale/")]
        assert len(scales) == (len(learner.several) or 1) * (precision == "fp16")
        assert all(torch.equal(states[k][key], state[key]) for key in scales)


@pytest.mark.parametrize("precision", HALF)
@pytest.mark.parametrize(
    ("name", "data"), PAIRS, ids=[f"{n}-{getattr(d, 'name', d.source)}" for n, d in PAIRS]
)
def test_in_half_precision_a_member_takes_the_steps_it_would_take_alone(
    name, data, precision, tmp_path
):
    params = [dict(rates, batch_size=8) for rates in RATES]
    assert_steps_as_alone(learners.find(name), params, tmp_path, small(data), precision)


@pytest.mark.parametrize("precision", HALF)
@pytest.mark.parametrize("make", [Normed, Averaged, Rivals, Attentive])
def test_in_half_precision_a_member_of_a_users_learner_steps_as_alone(
    make, precision, kind, tmp_path
):
    params = [{**rates, "batch_size": 9} for rates in RATES]
    assert_steps_as_alone(make, params, tmp_path, small("iris"), precision, kind=kind)


@pytest.mark.parametrize("precision", HALF)
@pytest.mark.parametrize("way", get_args(Convolution))
def test_in_half_precision_every_way_to_convolve_steps_as_alone(way, precision, tmp_path):
    params = [{**rates, "batch_size": 10} for rates in RATES]
    assert_steps_as_alone(Images, params, tmp_path, small("digits"), precision, way=way)


@pytest.mark.parametrize(("precision", "half"), [("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_products_of_a_stack_are_in_half_precision_and_its_weights_are_not(precision, half):
    programs = {}
    params = [{**rates, "precision": precision} for rates in RATES]
    stack = Stack(Normed(facts(small("iris"))), params, [(0, 0), (0, 1)], programs)
    list(fit_stack(stack, small("iris"), Length(1)))
    nodes = next(iter(programs.values())).graph.nodes
    products = [
        n.meta["tensor_meta"].dtype for n in nodes if n.target is torch.ops.aten.bmm.default
    ]
    assert len(products) > 2
    assert {*products} == {half}
    assert {rows.dtype for rows in stack.rows.values()} == {torch.float32}


class Steep(Weight):
    """A loss that is as steep as a hyperparameter says."""

    live: ClassVar = {**Supervised.live, "steep": Hyperparameter(float, 1.0)}

    def loss(self, network, networks, batch, now):
        return super().loss(network, networks, batch, now) * now["steep"]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_member_whose_gradients_overflow_is_skipped_and_no_other(optimizer, kind, tmp_path):
    # With w = 1 two answers have slopes of 1 times the scale, 2^16, more than float16 has: 65504.
    # Those of the second member are an eighth of it. In the second step the first has 2 x 2^15.
    shared = {"optimizer": optimizer, "precision": "fp16", "learning_rate": 0.1}
    params = [{**shared, "steep": steep} for steep in (1.0, 0.125)]
    found, states = stacked(Steep(facts(ONES)), params, tmp_path, ONES, Length(2), kind=kind)
    first, second = states
    assert first.pop("scale/network").tolist() == [2.0**14, 0]
    assert first.pop("network/network/weight").item() == 1.0
    assert not any(tensor.any() for tensor in first.values())
    assert [metrics["train_loss"] for metrics in found[0]] == [1.0, 1.0]
    assert second["scale/network"].tolist() == [2.0**16, 2]
    _, state = alone(Steep(facts(ONES)), params[1], tmp_path / "alone", ONES, Length(2), (3, 1))
    assert_same_states(second, state)
    assert second["network/network/weight"].item() < 0.96


def test_a_member_in_fp16_diverges_as_it_would_alone(kind, tmp_path):
    # 2^16 halved 31 times is 2^-15, and 10^12 times that is more than 65504.
    params = [{**FALLS, "precision": "fp16", "steep": steep} for steep in (1.0, 1e12)]
    learner = Steep(facts(ONES))
    found, _ = stacked(learner, params, tmp_path, ONES, Length(2, 31, 62), kind=kind)
    with pytest.raises(DivergedError) as caught:
        alone(learner, params[1], tmp_path / "alone", ONES, Length(2, 31, 62), (3, 1))
    assert messages(found[1]) == [str(caught.value)] * 2
    assert "must stay at 6.1e-05 or more, got 3.1e-05 after round 1;" in str(caught.value)
    assert messages(found[0]) == [None, None]


def test_scales_go_from_a_stack_to_a_training_alone_and_back(kind, tmp_path):
    params = [{**FALLS, "precision": "fp16", "steep": steep} for steep in (1.0, 0.125)]
    learner, length = Steep(facts(ONES)), Length(3)
    stacked(learner, params, tmp_path, ONES, length, until=1, kind=kind)
    for k, given_ in enumerate(params):
        start, end = tmp_path / f"stacked-{k}", tmp_path / f"middle-{k}"
        alone(learner, given_, end, ONES, length, (3, k), until=2, start=start)

    def start_of(k):
        return tmp_path / f"middle-{k}"

    _, states = stacked(learner, params, tmp_path, ONES, length, start=start_of, kind=kind)
    assert [of["scale/network"].tolist() for of in states] == [[2.0**14, 1], [2.0**16, 3]]


def test_networks_have_schedules_limits_and_averages_of_their_own(kind, tmp_path):
    shared = {"optimizer": "sgd", "judge_schedule": "linear", "maker_schedule": "one-cycle"}
    params = [{**shared, "judge_ema": 0.9, "maker_clip_norm": 0.01}, {**shared, "maker_ema": 0.5}]
    assert_as_alone(Rivals, params, tmp_path, small("iris"), kind=kind)


def test_networks_have_learning_rates_of_their_own(kind, tmp_path):
    params = [
        {"learning_rate": 0.01, "judge_learning_rate": 0.001, "optimizer": "sgd", "scale": 2},
        {"judge_learning_rate": 0.03, "maker_momentum": 0.5, "optimizer": "sgd"},
    ]
    assert_as_alone(Rivals, params, tmp_path, small("iris"), kind=kind)


@pytest.mark.parametrize("make", [Penalised, Recurrent])
def test_what_torch_may_be_unable_to_vectorise_is_as_alone_or_is_refused(make, tmp_path):
    params = [{**rates, "batch_size": 9} for rates in RATES]
    try:
        assert_as_alone(make, params, tmp_path, small("iris"))
    except UnstackableError:
        return


# What a loss does not use


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_what_no_loss_depends_on_stays_as_it_is_whatever_the_weight_decay(optimizer, tmp_path):
    params = [{"weight_decay": 0.5, "learning_rate": 0.1, "optimizer": optimizer}] * 2
    _, states = stacked(WithSpare(facts(small("iris"))), params, tmp_path, small("iris"), Length(2))
    for state in states:
        assert torch.equal(state["network/network/before"], torch.ones(3))
        assert torch.equal(state["network/network/after"], torch.ones(()))
        assert not [key for key in state if key.startswith("optimiser/network/0/")]


# Continuation


@pytest.mark.parametrize(
    ("make", "optimizer"),
    [
        *[(WithSpare, optimizer) for optimizer in OPTIMIZERS],
        (Normed, "adam"),
        (Averaged, "sgd"),
        (Rivals, "adamw"),
    ],
)
def test_a_checkpoint_goes_from_a_stack_to_a_training_alone_and_back(make, optimizer, tmp_path):
    data, length = small("iris"), Length(3)
    learner = make(facts(data))
    params = [{**rates, "batch_size": 9, "optimizer": optimizer, **TODAY} for rates in RATES]
    params[1]["ema"] = 0.0
    for name in ("first", "last"):
        (tmp_path / name).mkdir()
    told, _ = stacked(learner, params, tmp_path / "first", data, length, until=1)
    for k, rates in enumerate(params):
        start = tmp_path / "first" / f"stacked-{k}"
        middle = tmp_path / f"middle-{k}"
        told[k] += alone(learner, rates, middle, data, length, (3, k), until=2, start=start)[0]
    rest, states = stacked(
        learner,
        params,
        tmp_path / "last",
        data,
        length,
        start=lambda k: tmp_path / f"middle-{k}",
    )
    for k, rates in enumerate(params):
        wanted, state = alone(learner, rates, tmp_path / "whole", data, length, (3, k))
        assert told[k] + rest[k] == [pytest.approx(m, rel=2e-3, abs=2e-4) for m in wanted]
        assert_same_states(states[k], state)


def test_a_member_may_continue_from_the_weights_of_another(tmp_path):
    data, learner = small("iris"), Normed(facts(small("iris")))
    params = [{**rates, "batch_size": 9} for rates in RATES]
    alone(learner, params[0], tmp_path / "start", data, Length(2), (3, 0), until=1)
    found, states = stacked(
        learner, params, tmp_path, data, Length(2), start=lambda k: tmp_path / "start"
    )
    for k, rates in enumerate(params):
        wanted, state = alone(
            learner, rates, tmp_path / "end", data, Length(2), (3, k), start=tmp_path / "start"
        )
        assert found[k] == [pytest.approx(m, rel=2e-3, abs=2e-4) for m in wanted]
        assert_same_states(states[k], state)


def test_what_a_member_builds_depends_on_what_it_was_given_alone(tmp_path):
    class Odd(Supervised):
        """Its default is not that of `build`, whose own is what an untold training has."""

        def build(self, *, hidden: int = 3):
            return nn.Sequential(nn.Linear(4, hidden), nn.Linear(hidden, 3))

        @classmethod
        def hyperparameters(cls):
            known = super().hyperparameters()
            return known | {"hidden": replace(known["hidden"], default=7)}

    data, params = small("iris"), [{"learning_rate": 0.1}] * 2
    alone(Odd(facts(data)), {}, tmp_path / "start", data, Length(2), (3, 0), until=1)
    stack = Stack(Odd(facts(data)), params, [(0,), (1,)], {})
    assert stack.load(0, tmp_path / "start") == 1


# Divergence


def messages(told):
    return [str(found) if isinstance(found, DivergedError) else None for found in told]


@pytest.mark.parametrize(
    ("make", "data", "bad", "length"),
    [
        (Weight, ONES, {"learning_rate": 1e25}, Length(3)),
        (Weight, ONES, {"learning_rate": 1e25}, Length(2, 3, 5)),
        (learners.find("mlp"), small("iris"), {"learning_rate": 1e30}, Length(3)),
        (learners.find("gan"), small("digits"), {"learning_rate": 1e30}, Length(2, 3, 5)),
    ],
)
def test_a_member_that_diverges_says_what_it_would_have_said_alone(
    make, data, bad, length, tmp_path
):
    shared = {"optimizer": "sgd", "batch_size": 8}
    params = [{**shared, "learning_rate": 1e-3}, {**shared, **bad}]
    learner = prepared(make, data)
    found, _ = stacked(learner, params, tmp_path, data, length)
    with pytest.raises(DivergedError) as caught:
        alone(learner, params[1], tmp_path / "alone", data, length, (3, 1))
    told = messages(found[1])
    first = next(text for text in told if text)
    assert first == str(caught.value)
    assert set(told[told.index(first) :]) == {first}  # once lost, lost for good
    assert messages(found[0]) == [None] * length.rounds


@pytest.mark.parametrize(
    ("make", "optimizer"), [*[(learners.find("mlp"), o) for o in OPTIMIZERS], (Normed, "adam")]
)
def test_a_member_that_diverges_changes_no_bit_of_the_others(make, optimizer, tmp_path):
    shared = {"optimizer": optimizer, "batch_size": 8, "weight_decay": 0.01}
    ends, programs = [], {}
    learner = make(facts(small("iris")))
    for rate in (1e30, 1e-3):
        params = [{**shared, "learning_rate": r} for r in (0.01, rate, 0.02)]
        found, states = stacked(
            learner, params, tmp_path, small("iris"), Length(2), programs=programs
        )
        ends.append(([found[0], found[2]], [states[0], states[2]]))
        assert any(messages(found[1])) == (rate > 1)
    assert ends[0][0] == ends[1][0]
    for one, other in zip(ends[0][1], ends[1][1], strict=True):
        assert all(torch.equal(one[key], other[key]) for key in one)


def test_losses_of_both_infinities_in_one_round_are_a_divergence_like_any_other(tmp_path):
    class Swings(Weight):
        """Far up or far down, at random."""

        live: ClassVar = {**Supervised.live, "swing": Hyperparameter(float, 0.0)}

        def loss(self, network, networks, batch, now):
            loss = super().loss(network, networks, batch, now)
            return loss + now["swing"] * (torch.rand(()) - 0.5) * 1e38 * 1e3

    # 64 draws are all on one side by chance once in 10^19 times; these are always the same.
    data, length = ONES, Length(1, 64)
    learner = Swings(facts(data))
    params = [{"swing": swing, "learning_rate": 0.0} for swing in (1e-9, 1e9)]
    found, _ = stacked(learner, params, tmp_path, data, length)
    with pytest.raises(DivergedError) as caught:
        alone(learner, params[1], tmp_path / "alone", data, length, (3, 1))
    assert messages(found[1]) == [str(caught.value)]
    assert messages(found[0]) == [None]


# What cannot be stacked


def trained(make, data="iris", params=RATES):
    learner = make(facts(small(data)))
    seeds = [(0, k) for k in range(len(params))]
    stack = Stack(learner, list(params), seeds, {})
    return list(fit_stack(stack, small(data), Length(2)))


class Counts(Normed):
    steps = 1000

    def loss(self, network, networks, batch, now):
        self.steps += 1
        self.steps += 1
        return super().loss(network, networks, batch, now)


class Lists(Normed):
    def __init__(self, data):
        super().__init__(data)
        self.seen = []

    def loss(self, network, networks, batch, now):
        self.seen.append(len(self.seen))
        return super().loss(network, networks, batch, now)


class Branches(Normed):
    def loss(self, network, networks, batch, now):
        loss = super().loss(network, networks, batch, now)
        return loss if now["learning_rate"] < 0.005 else 2 * loss


class Looks(Normed):
    def loss(self, network, networks, batch, now):
        loss = super().loss(network, networks, batch, now)
        return loss / loss.item()


class Draws(Normed):
    def loss(self, network, networks, batch, now):
        return super().loss(network, networks, batch, now) * torch.bernoulli(torch.tensor(0.5))


class DrawsOfNumpy(Normed):
    def loss(self, network, networks, batch, now):
        return super().loss(network, networks, batch, now) * np.random.rand()  # noqa: NPY002


class DrawsOfPython(Normed):
    def loss(self, network, networks, batch, now):
        return super().loss(network, networks, batch, now) * random.random()


class CountsEvaluations(Normed):
    rounds = 0

    def evaluate(self, networks, inputs, targets):
        self.rounds += 1
        found = super().evaluate(networks, inputs, targets)
        return {**found, "loss": found["loss"] + self.rounds}


class CountsEvaluationsInNumbers(Normed):
    rounds = 0

    def evaluate(self, networks, inputs, targets):
        self.rounds += 1
        return {"loss": float(self.rounds), "accuracy": 0.5}


class Doubles(Normed):
    def build(self):
        return super().build().double()

    def forward(self, network, inputs, now):
        return network(inputs.double())


class Scatters(Normed):
    """What each member drew when it was built is nowhere among its weights."""

    def build(self):
        network = super().build()
        network.mask = torch.rand(4)
        return network

    def forward(self, network, inputs, now):
        return network(inputs * network.mask)


class Shares(Rivals):
    def build(self):
        found = super().build()
        found["judge"].insert(0, found["maker"][2])
        return found


class WithoutWeights(Rivals):
    def build(self):
        return {**super().build(), "maker": nn.Tanh()}


class Numbered(Normed):
    live: ClassVar = {**Supervised.live, "times": Hyperparameter(int, 1)}

    def loss(self, network, networks, batch, now):
        once = super().loss(network, networks, batch, now)
        return sum(once for _ in range(now["times"]))


@pytest.mark.parametrize(
    "make",
    [
        Counts,
        Lists,
        Branches,
        Looks,
        Draws,
        DrawsOfNumpy,
        DrawsOfPython,
        CountsEvaluations,
        CountsEvaluationsInNumbers,
        Doubles,
        Scatters,
        Shares,
        WithoutWeights,
    ],
)
def test_what_cannot_be_trained_together_is_refused(make):
    with pytest.raises(UnstackableError):
        trained(make)


def test_a_whole_number_that_is_counted_with_is_refused():
    with pytest.raises(UnstackableError):
        trained(Numbered, params=[{"times": 1}, {"times": 2}])


@pytest.mark.parametrize(
    "values", [("a", "b"), (True, False), ("a", 1), (1, None), (None, "a"), (1, True)]
)
def test_what_is_no_number_may_not_differ(values):
    class Mode(Normed):
        live: ClassVar = {**Supervised.live, "mode": Hyperparameter(object, "a")}

    with pytest.raises(UnstackableError, match="differ in mode"):
        trained(Mode, params=[{"mode": value} for value in values])


@pytest.mark.parametrize("value", ["a", True, 3, 0.5])
def test_what_all_members_share_reaches_the_loss(value, tmp_path):
    class Mode(Normed):
        live: ClassVar = {**Supervised.live, "mode": Hyperparameter(object, "b")}

        def loss(self, network, networks, batch, now):
            mode = now["mode"]
            factor = 2.0 if isinstance(mode, str) else mode * 3
            return super().loss(network, networks, batch, now) * factor

    assert_as_alone(Mode, [{"mode": value}] * 2, tmp_path, small("iris"))


# Looking at a member


def test_a_member_is_shown_in_eval_mode_even_if_all_programs_were_recorded_before():
    data, programs = small("iris"), {}
    for _ in range(2):
        stack = Stack(Normed(facts(data)), RATES, [(0, 0), (0, 1)], programs)
        for _ in fit_stack(stack, data, Length(1)):
            assert not any(n.training for n in stack.member(1)["network"].modules())


def test_looking_at_members_changes_nothing(tmp_path):
    data, ends = small("iris"), []
    for looks in (False, True):
        stack = Stack(Normed(facts(data)), RATES, [(0, 0), (0, 1)], {})
        for _ in fit_stack(stack, data, Length(2)):
            for member in (0, 1) if looks else ():
                stack.member(member)["network"](torch.ones(5, 4))
        stack.save(0, tmp_path / "state", 2)
        ends.append(load_file(tmp_path / "state"))
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in ends[0])


def test_a_draw_by_another_thread_is_not_taken_for_the_learners_own():
    data = small("iris")
    learner = learners.find("mlp")(facts(data))
    together = program.Together(learner.networks({}))
    calls = []

    def drawn_once():
        calls.append(random.random() if not calls else None)
        return len(calls)

    assert program.stateless(learner, together, "this", drawn_once) == 2
    with pytest.raises(UnstackableError, match="this draws from a generator that is not torch's"):
        program.stateless(learner, together, "this", random.random)
