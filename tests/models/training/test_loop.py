"""The training loop: exact continuation, exact steps, honest splits."""

from __future__ import annotations

import functools
import math
from dataclasses import replace
from typing import ClassVar

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
from nettuner.models.learner import Hyperparameter, Learner, Supervised
from nettuner.models.schedules import SCHEDULES
from nettuner.models.study import Goal, Length, Study
from nettuner.models.training import checkpoint
from nettuner.models.training.batches import batch, steps_per_epoch
from nettuner.models.training.course import Course
from nettuner.models.training.loop import facts, fit
from nettuner.models.training.losses import DivergedError
from nettuner.models.training.seeding import derived_seed, seeded

pytestmark = pytest.mark.usefixtures("one_thread")

OPTIMIZERS = ["sgd", "adam", "adamw", "rmsprop"]


class Weight(Supervised):
    """One weight w that starts at 1: with inputs 1 and targets 0 the loss is w^2, its slope 2 w."""

    def build(self):
        layer = nn.Linear(1, 1, bias=False)
        nn.init.ones_(layer.weight)
        return layer


class Rivals(Learner):
    """Two networks, both of which behave differently in training: one judges the other."""

    several = ("maker", "judge")
    live: ClassVar = {"scale": Hyperparameter(float, 1.0)}
    metrics: ClassVar = {"loss": "minimize"}

    def build(self):
        maker = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 4))
        judge = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 1))
        return {"maker": maker, "judge": judge}

    def loss(self, network, networks, batch, now):
        made = networks["maker"](now["scale"] * torch.randn(len(batch[0]), 4))
        if network == "maker":
            return -networks["judge"](made).mean()
        real, fake = networks["judge"](batch[0]), networks["judge"](made.detach())
        return functional.softplus(-real).mean() + functional.softplus(fake).mean()

    def evaluate(self, networks, inputs, targets):
        made = networks["maker"](torch.randn(len(inputs), 4))
        return {"loss": (made.mean() - inputs.mean()).abs().item()}


def rows(inputs, targets):
    return Split(np.asarray(inputs, np.float32), np.asarray(targets, np.float32))


NOTHING = Labelled(np.zeros((0, 1)), ())


def numbers(train, validation=None, std=1.0):
    """Data for a regression on one column, the target already standardised."""
    train = rows(*train)
    validation = rows(*validation) if validation else train
    preprocessing = Preprocessing(Table(()), target_std=std)
    return Dataset(
        train,
        validation,
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


ONES = numbers(([[1.0], [1.0]], [0.0, 0.0]))


@functools.cache
def small(name):
    """The first 23 rows to train on, and 10 to validate."""
    data = load(Builtin(name=name))
    return replace(data, train=few(data.train, 23), validation=few(data.validation, 10))


def few(split, count):
    return Split(split.inputs[:count], split.targets[:count])


def state(path):
    return load_file(path)


def same(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[key], right[key]) for key in left)


def run(make, data, params, length, path, seed=(0, 0), **more):
    """All rounds' metrics, and the state at the end."""
    found = list(fit(make(facts(data)), data, params, length, seed=seed, end=path, **more))
    return found, state(path)


def weight_after(path, params, rounds=1, data=ONES, **more):
    length = Length(rounds)
    found = run(Weight, data, params, length, path, **more)[1]
    return found["network/network/weight"].item()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.safetensors"


# Continuation


def assert_continues(make, data, params, length, cuts, folder):
    whole, wanted = run(make, data, params, length, folder / "whole.safetensors")
    pieces, start = [], None
    for cut in [*cuts, length.rounds]:
        end = folder / f"{cut}.safetensors"
        found, reached = run(make, data, params, length, end, until=cut, start=start)
        pieces += found
        start = end
    assert pieces == whole
    assert same(reached, wanted)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    optimizer=st.sampled_from(OPTIMIZERS),
    momentum=st.sampled_from([0.0, 0.9]),
    dropout=st.sampled_from([0.0, 0.4]),
    decay=st.sampled_from([0.0, 0.1]),
    schedule=st.sampled_from(SCHEDULES),
    warmup=st.sampled_from([0, 3]),
    clip=st.sampled_from([0.0, 0.5]),
    ema=st.sampled_from([0.0, 0.9]),
    batch_size=st.integers(1, 30),
    length=st.sampled_from([Length(4), Length(4, 3, 11), Length(4, 40, 155)]),
    cuts=st.sets(st.integers(1, 3)),
    name=st.sampled_from(["iris", "diabetes"]),
)
def test_a_training_that_was_interrupted_equals_one_that_was_not(
    tmp_path,
    optimizer,
    momentum,
    dropout,
    decay,
    schedule,
    warmup,
    clip,
    ema,
    batch_size,
    length,
    cuts,
    name,
):
    params = {
        "optimizer": optimizer,
        "momentum": momentum,
        "dropout": dropout,
        "weight_decay": decay,
        "schedule": schedule,
        "warmup_steps": warmup,
        "clip_norm": clip,
        "ema": ema,
        "batch_size": batch_size,
        "hidden": 4,
    }
    assert_continues(learners.find("mlp"), small(name), params, length, sorted(cuts), tmp_path)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_convolutional_training_continues_exactly(tmp_path, optimizer):
    params = {"optimizer": optimizer, "dropout": 0.3, "channels": 2, "batch_size": 8}
    assert_continues(learners.find("cnn"), small("digits"), params, Length(3), [1, 2], tmp_path)


@pytest.mark.parametrize("length", [Length(3), Length(3, 2, 5)])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_two_networks_with_buffers_and_dropout_continue_exactly(tmp_path, optimizer, length):
    params = {"optimizer": optimizer, "judge_learning_rate": 0.01, "batch_size": 8}
    assert_continues(Rivals, small("iris"), params, length, [1, 2], tmp_path)


def test_every_network_is_in_training_mode_at_every_step():
    seen = []

    class Watched(Rivals):
        def loss(self, network, networks, batch, now):
            seen.append([network.training for network in networks.values()])
            return super().loss(network, networks, batch, now)

    data = small("iris")
    list(fit(Watched(facts(data)), data, {}, Length(3), seed=(0, 0)))
    assert seen == [[True, True]] * 6


@pytest.mark.parametrize("make", [learners.find("mlp"), Rivals])
def test_the_same_seed_gives_the_same_bits_and_another_one_others(make, tmp_path):
    data, length = small("iris"), Length(2)
    runs = [
        run(make, data, {}, length, tmp_path / "state", seed=seed)
        for seed in [(3, 1), (3, 1), (3, 2), (4, 1)]
    ]
    assert runs[0][0] == runs[1][0]
    assert same(runs[0][1], runs[1][1])
    for other in runs[2:]:
        assert not same(runs[0][1], other[1])


def test_a_training_leaves_the_global_generator_alone():
    data = small("iris")
    torch.manual_seed(5)
    before = torch.get_rng_state()
    for _ in fit(Rivals(facts(data)), data, {}, Length(2), seed=(0, 0)):
        assert torch.equal(torch.get_rng_state(), before)
        torch.rand(1)  # whoever drives it may draw: that changes nothing
        torch.set_rng_state(before)


def test_what_others_draw_between_two_rounds_changes_nothing(tmp_path):
    data = small("iris")
    states = []
    for draws in (0, 3):
        path = tmp_path / f"{draws}"
        for _ in fit(Rivals(facts(data)), data, {}, Length(3), seed=(0, 0), end=path):
            torch.rand(draws)
        states.append(state(path))
    assert same(*states)


def test_seeds_depend_on_every_number_of_their_key():
    keys = [(), (1,), (2,), (1, 1), (1, 2), (2, 1), (1, 1, 1), (1, 1, 2), (1, 2, 1)]
    assert len({derived_seed(*key) for key in keys}) == len(keys)
    assert all(0 <= derived_seed(*key) < 2**63 for key in keys)
    with seeded(1):
        first = torch.rand(1)
    with seeded(1):
        assert torch.equal(torch.rand(1), first)


# Steps by hand: w starts at 1, and the slope at w is 2 w.

SGD = {"optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.9}


@pytest.mark.parametrize(
    ("params", "rounds", "weight"),
    [
        (SGD, 1, 1 - 0.1 * 2),
        # The buffer is 2, then 0.9 * 2 + 1.6 = 3.4.
        (SGD, 2, 0.8 - 0.1 * 3.4),
        (SGD | {"momentum": 0.0}, 2, 0.8 - 0.1 * 1.6),
        (SGD | {"weight_decay": 0.5}, 1, 1 - 0.1 * (2 + 0.5)),
        # Adam's first step is the learning rate, whatever the slope and its decay.
        ({"optimizer": "adam", "learning_rate": 0.1, "weight_decay": 0.5}, 1, 0.9),
        # AdamW shrinks the weight by lr * decay apart from that.
        ({"optimizer": "adamw", "learning_rate": 0.1, "weight_decay": 0.5}, 1, 0.95 - 0.1),
        # m = 1 then 1.4, v = 2 then 2.62, both divided by 1 - 0.5^2 = 0.75.
        (
            {"optimizer": "adam", "learning_rate": 0.1, "beta1": 0.5, "beta2": 0.5},
            2,
            0.9 - 0.1 * (1.4 / 0.75) / math.sqrt(2.62 / 0.75),
        ),
        # The mean square is 0.01 * 4, so the first step is 2 / 0.2 learning rates.
        ({"optimizer": "rmsprop", "learning_rate": 0.01, "momentum": 0.5}, 1, 0.9),
        # Then 0.99 * 0.04 + 0.01 * 1.8^2 = 0.072, and half of the step before is added.
        (
            {"optimizer": "rmsprop", "learning_rate": 0.01, "momentum": 0.5},
            2,
            0.9 - 0.01 * (5 + 1.8 / math.sqrt(0.072)),
        ),
    ],
)
def test_a_step_follows_its_formula(path, params, rounds, weight):
    assert weight_after(path, params, rounds) == pytest.approx(weight, rel=1e-5)


@pytest.mark.parametrize("learning_rate", [0.0, 0.01, 0.3])
def test_the_learning_rate_in_force_is_the_one_given_and_not_that_of_the_checkpoint(
    tmp_path, learning_rate
):
    start, end = tmp_path / "start", tmp_path / "end"
    weight_after(start, SGD)  # w = 0.8, and the buffer is 2
    changed = SGD | {"learning_rate": learning_rate}
    found = weight_after(end, changed, 2, start=start)
    assert found == pytest.approx(0.8 - learning_rate * 3.4)


def test_a_learning_rate_rises_linearly_while_it_warms_up(path):
    # Of 0.1: a quarter, a half, three quarters, all, all; the slope at w is 2 w.
    params = SGD | {"momentum": 0.0, "warmup_steps": 4}
    expected = math.prod(1 - 2 * 0.1 * share for share in (0.25, 0.5, 0.75, 1, 1))
    assert weight_after(path, params, 5) == pytest.approx(expected)


def test_a_schedule_spans_the_whole_training_also_where_it_is_cut(tmp_path):
    # Of 0.1: 1, 3/4, 1/2, 1/4; the slope at w is 2 w. After the cut another rate is the highest.
    params = SGD | {"momentum": 0.0, "schedule": "linear"}
    whole = Weight, ONES, params, Length(4)
    found = run(*whole, tmp_path / "first", until=2)[1]["network/network/weight"].item()
    assert found == pytest.approx(0.8 * (1 - 0.2 * 0.75))
    other = Weight, ONES, params | {"learning_rate": 0.2}, Length(4)
    rounds, state_ = run(*other, tmp_path / "last", start=tmp_path / "first")
    assert [metrics["train_learning_rate"] for _, metrics in rounds] == [0.1, 0.05]
    expected = found * (1 - 2 * 0.2 * 0.5) * (1 - 2 * 0.2 * 0.25)
    assert state_["network/network/weight"].item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("largest", "weight"), [(0.0, 1 - 0.1 * 2), (0.5, 1 - 0.1 * 0.5), (2.5, 1 - 0.1 * 2)]
)
def test_a_gradient_is_no_longer_than_the_limit(path, largest, weight):
    assert weight_after(path, SGD | {"clip_norm": largest}) == pytest.approx(weight)


def test_the_averages_are_what_is_evaluated(path):
    # w is 0.8, 0.64, then 0.512: with decay 1/2 they count 1/8, 1/4 and 1/2, of 7/8.
    params = SGD | {"momentum": 0.0, "ema": 0.5}
    rounds, found = run(Weight, ONES, params, Length(3), path)
    average = (0.8 / 8 + 0.64 / 4 + 0.512 / 2) / 0.875
    assert found["network/network/weight"].item() == pytest.approx(0.512)
    assert found["average/network/weight"].item() == pytest.approx(average)
    assert rounds[-1][1]["val_loss"] == pytest.approx(average**2)
    assert rounds[0][1]["val_loss"] == pytest.approx(0.8**2)


def test_with_defaults_a_training_is_a_plain_loop_to_the_last_bit(path):
    data, learner = small("digits"), learners.find("mlp")
    params = {"hidden": 8, "batch_size": 5, "learning_rate": 0.01}
    found = run(learner, data, params, Length(3), path, seed=(1, 2))[1]
    made = learner(facts(data))
    with seeded(1, 2):
        network = made.networks(params)["network"]
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01, fused=True)
    inputs, targets = map(torch.from_numpy, (data.train.inputs, data.train.targets))
    for step in range(3 * steps_per_epoch(23, 5)):
        rows_ = batch(23, 5, step, (1, 2))
        optimiser.zero_grad()
        functional.cross_entropy(network(inputs[rows_]), targets[rows_]).backward()
        optimiser.step()
    for key, tensor in network.state_dict().items():
        assert torch.equal(found[f"network/network/{key}"], tensor)
    assert not [key for key in found if not key.startswith(("network/", "optimiser/"))]


# Precision and weights of classes


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_in_bf16_a_step_is_rounded_and_all_else_is_not(name, tmp_path):
    data, learner = small("digits"), learners.find(name)
    params = {"hidden": 8, "dropout": 0.2, "learning_rate": 0.01, "batch_size": 23}
    states = {}
    for precision in ("float32", "bf16"):
        given_ = params | {"precision": precision}
        rounds, states[precision] = run(learner, data, given_, Length(3), tmp_path / precision)
        assert all(math.isfinite(metrics["val_loss"]) for _, metrics in rounds)
    for key, exact in states["float32"].items():
        rounded = states["bf16"][key]
        assert rounded.dtype == exact.dtype == torch.float32
    weights = [key for key in states["bf16"] if key.startswith("network/")]
    exact, rounded = ([states[p][key] for key in weights] for p in ("float32", "bf16"))
    assert not all(map(torch.equal, exact, rounded))
    for one, other in zip(exact, rounded, strict=True):
        # Adam's steps are at most about 0.01 each, whatever the gradient's size.
        torch.testing.assert_close(one, other, rtol=0, atol=0.07)


def test_a_training_in_bf16_continues_exactly(tmp_path):
    params = {"precision": "bf16", "hidden": 4, "dropout": 0.3, "batch_size": 8}
    assert_continues(learners.find("mlp"), small("iris"), params, Length(3), [1, 2], tmp_path)


def unequal():
    """Six training rows: four of class 0, two of class 1, none of class 2."""
    data = load(Builtin(name="iris"))
    train = Split(data.train.inputs[:6], np.array([0, 0, 1, 0, 1, 0]))
    return replace(data, train=train)


def test_balanced_classes_weigh_alike():
    # n / (k n_c) is 6 / (2 * 4) and 6 / (2 * 2); a class that does not occur has none.
    assert facts(unequal()).class_weights == (0.75, 1.5, 0.0)
    assert facts(ONES).class_weights == ()


def test_the_loss_of_balanced_classes_is_the_mean_of_the_losses_of_each():
    data = unequal()
    learner = learners.find("mlp")(facts(data))
    with seeded(0):
        networks = learner.networks({"hidden": 4})
    inputs, targets = torch.from_numpy(data.train.inputs), torch.from_numpy(data.train.targets)
    now = learner.now({"class_weight": "balanced"})
    loss = learner.loss("network", networks, (inputs, targets), now).item()
    each = functional.cross_entropy(networks["network"](inputs), targets, reduction="none")
    of_class = [each[targets == c].mean().item() for c in (0, 1)]
    assert loss == pytest.approx(sum(of_class) / 2)
    plain = learner.loss("network", networks, (inputs, targets), learner.now({})).item()
    assert plain == pytest.approx(each.mean().item())


# What counts of a training, and when it ends. At rate 1.5 each step of SGD doubles -w.


def course_of(**more):
    study = Study(name="s", learner="mlp", space={"hidden": [4]}, metric="val_loss", **more)
    return Course(Goal("val_loss", "minimize"), study)


FARTHER = {"optimizer": "sgd", "momentum": 0.0, "learning_rate": 1.5, "schedule": "constant"}


def test_the_best_round_is_the_one_that_is_kept(path):
    course = course_of(score="best")
    rounds, found = run(Weight, ONES, FARTHER, Length(3), path, course=course)
    assert [metrics["val_loss"] for _, metrics in rounds] == [4, 16, 64]
    assert found["network/network/weight"].item() == -2
    assert checkpoint.read(path, {"network": nn.Linear(1, 1, bias=False)})[0] == 1
    assert course.best["val_loss"] == 4


def test_a_training_without_patience_left_ends_and_keeps_its_last_round(path):
    rounds, found = run(Weight, ONES, FARTHER, Length(9), path, course=course_of(patience_rounds=2))
    assert [round_ for round_, _ in rounds] == [1, 2, 3]
    assert found["network/network/weight"].item() == -8
    assert checkpoint.read(path, {"network": nn.Linear(1, 1, bias=False)})[0] == 3


def test_the_momentum_in_force_is_the_one_given(tmp_path):
    start, end = tmp_path / "start", tmp_path / "end"
    weight_after(start, SGD)
    found = weight_after(end, SGD | {"momentum": 0.5}, 2, start=start)
    assert found == pytest.approx(0.8 - 0.1 * (0.5 * 2 + 1.6))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(("before", "after"), [(0.0, 0.5), (0.5, 0.0)])
def test_momentum_may_come_and_go(tmp_path, optimizer, before, after):
    start, end = tmp_path / "start", tmp_path / "end"
    params = {"optimizer": optimizer, "learning_rate": 0.01}
    first = weight_after(start, params | {"momentum": before})
    assert weight_after(end, params | {"momentum": after}, 3, start=start) < first < 1


def test_rmsprop_that_gets_momentum_later_starts_from_rest(tmp_path):
    start, end = tmp_path / "start", tmp_path / "end"
    params = {"optimizer": "rmsprop", "learning_rate": 0.01}
    weight_after(start, params | {"momentum": 0.0})  # w = 0.9, as above
    found = weight_after(end, params | {"momentum": 0.5}, 2, start=start)
    assert found == pytest.approx(0.9 - 0.01 * 1.8 / math.sqrt(0.072), rel=1e-5)


def test_weight_decay_pulls_on_every_weight_of_a_real_network(tmp_path):
    plain, decayed = (
        run(
            learners.find("mlp"),
            small("iris"),
            {"optimizer": "sgd", "momentum": 0.0, "learning_rate": 0.1, "weight_decay": decay},
            Length(1, 1),
            tmp_path / "state",
        )[1]
        for decay in (0.0, 0.5)
    )
    with seeded(0, 0):
        start = learners.find("mlp")(facts(small("iris"))).networks({})["network"].state_dict()
    for key, before in start.items():
        pulled = plain[f"network/network/{key}"] - decayed[f"network/network/{key}"]
        torch.testing.assert_close(pulled, 0.1 * 0.5 * before, atol=1e-6, rtol=1e-4)


# Rounds, batches, metrics


def test_a_round_reports_the_mean_training_loss_and_the_validation_after_it():
    data = numbers(([[1.0], [1.0]], [0.0, 0.0]), ([[1.0], [2.0]], [0.0, 1.0]), std=10.0)
    params = SGD | {"momentum": 0.0, "batch_size": 1}
    (number, metrics), *others = fit(Weight(facts(data)), data, params, Length(2), seed=(0, 0))
    assert number == 1
    assert [number for number, _ in others] == [2]
    # w is 1, 0.8, 0.64; on the validation rows the errors are then 0.64 and 0.28.
    squared = (0.64**2 + 0.28**2) / 2
    assert metrics == pytest.approx(
        {
            "train_loss": (1 + 0.8**2) / 2,
            "train_learning_rate": 0.1,
            "val_loss": squared,
            "val_rmse": 10 * math.sqrt(squared),
            "val_mae": 10 * (0.64 + 0.28) / 2,
            "val_r2": 1 - squared / 0.25,
        },
        rel=1e-5,
    )


def test_counted_in_steps_the_last_round_is_shorter():
    params = SGD | {"momentum": 0.0}
    found = list(fit(Weight(facts(ONES)), ONES, params, Length(4, 3, 10), seed=(0, 0)))
    # w shrinks by a fifth at each step: 3, 6, 9 and 10 of them.
    assert [metrics["val_loss"] for _, metrics in found] == pytest.approx(
        [0.8 ** (2 * steps) for steps in (3, 6, 9, 10)], rel=1e-4
    )
    assert [number for number, _ in found] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("count", "batch_size", "steps", "seen"),
    [
        (12, 4, 3, 12),
        (14, 4, 4, 14),
        (13, 4, 3, 12),  # a single row is left out
        (3, 64, 1, 3),
        (1, 64, 1, 1),
        (5, 1, 5, 5),
        (65, 64, 1, 64),
    ],
)
def test_an_epoch_sees_every_row_once(count, batch_size, steps, seen):
    assert steps_per_epoch(count, batch_size) == steps
    for epoch in range(3):
        numbers = range(epoch * steps, (epoch + 1) * steps)
        drawn = torch.cat([batch(count, batch_size, step, (0, 0)) for step in numbers]).tolist()
        assert len(drawn) == len(set(drawn)) == seen
        assert set(drawn) <= set(range(count))


def test_each_epoch_has_an_order_of_its_own_which_the_seed_decides():
    # Two shuffles of 20 rows agree by chance once in 20! = 2 * 10^18 times.
    orders = [batch(20, 20, epoch, seed).tolist() for epoch in (0, 1, 2) for seed in [(0,), (1,)]]
    assert len({tuple(order) for order in orders}) == 6
    assert batch(20, 20, 1, (0,)).tolist() == orders[2]


def test_every_row_is_left_out_as_often_as_any_other():
    left_out = np.zeros(5)
    for epoch in range(2000):
        seen = torch.cat([batch(5, 2, 2 * epoch + step, (7,)) for step in (0, 1)])
        left_out[list(set(range(5)) - set(seen.tolist()))] += 1
    # Binomial(2000, 1/5): sd 17.9. Five of them fail by chance about once in 10^8 runs.
    assert np.all(np.abs(left_out - 400) < 6 * 17.9)


def test_training_and_metrics_follow_the_batches():
    # Rows 0 and 1 pull w to 1 and to 3; with one row a batch, both have been seen.
    data = numbers(([[1.0], [1.0]], [1.0, 3.0]))
    params = SGD | {"momentum": 0.0, "batch_size": 1, "learning_rate": 0.5}
    # A learning rate of one half jumps to the target of the row: the last one wins.
    ends = set()
    for seed in range(20):
        learner = Weight(facts(data))
        (_, metrics) = next(fit(learner, data, params, Length(1), seed=(seed,)))
        ends.add(round(metrics["val_mae"] * 2))
    assert ends == {2}


@pytest.mark.parametrize("split", ["validation", "test"])
def test_nothing_is_learned_from_rows_held_out(tmp_path, split):
    data = small("iris")
    rng = np.random.default_rng(0)
    shape = data.validation.inputs.shape
    junk = Split(rng.normal(size=shape).astype(np.float32), rng.integers(0, 3, shape[0]))
    length, make = Length(3), learners.find("mlp")
    found, wanted = run(make, data, {}, length, tmp_path / "a")
    other, same_weights = run(make, replace(data, **{split: junk}), {}, length, tmp_path / "b")
    assert same(wanted, same_weights)
    assert (other == found) == (split == "test")


def test_the_state_is_left_when_the_last_round_is_over(path):
    rounds = fit(Weight(facts(ONES)), ONES, SGD, Length(2), seed=(0, 0), end=path)
    next(rounds)
    next(rounds)
    assert not path.exists()
    assert list(rounds) == []
    assert path.exists()


# Failures


def test_a_loss_that_is_not_finite_ends_the_training_with_its_step():
    # w is -2e25 after one step, and its square is more than a float32 holds.
    params = SGD | {"learning_rate": 1e25}
    rounds = fit(Weight(facts(ONES)), ONES, params, Length(5), seed=(0, 0))
    next(rounds)
    with pytest.raises(DivergedError) as caught:
        next(rounds)
    assert str(caught.value) == "the loss of network is inf at step 2, round 2"


def test_steps_are_counted_over_all_rounds(path):
    class Fails(Weight):
        def loss(self, network, networks, batch, now):
            loss = super().loss(network, networks, batch, now)
            return loss * math.nan if networks[network].weight.item() < 0.25 else loss

    # 0.8^6 = 0.26 and 0.8^7 = 0.21: the eighth step is in the third round of three.
    params = SGD | {"momentum": 0.0}
    rounds = fit(Fails(facts(ONES)), ONES, params, Length(4, 3), seed=(0, 0), end=path)
    with pytest.raises(DivergedError, match="is nan at step 8, round 3"):
        list(rounds)
    assert not path.exists()


# Quality


@pytest.mark.parametrize(
    ("name", "data", "params", "rounds", "metric", "least"),
    [
        ("mlp", "iris", {"learning_rate": 0.01}, 30, "val_accuracy", 0.85),
        ("mlp", "digits", {"learning_rate": 0.005}, 6, "val_accuracy", 0.88),
        ("cnn", "digits", {"learning_rate": 0.01, "channels": 8}, 8, "val_accuracy", 0.88),
        ("mlp", "diabetes", {"learning_rate": 0.003}, 20, "val_r2", 0.25),
    ],
)
def test_networks_learn_what_there_is_to_learn(name, data, params, rounds, metric, least):
    dataset = load(Builtin(name=data))
    learner = learners.find(name)(facts(dataset))
    *_, (_, metrics) = fit(learner, dataset, params, Length(rounds), seed=(0, 0))
    assert metrics[metric] > least


def test_a_line_is_found():
    x = np.linspace(-1, 1, 40)[:, None]
    data = numbers((x, 0.7 * x[:, 0]))
    params = {"optimizer": "sgd", "learning_rate": 0.1, "batch_size": 10}
    *_, (_, metrics) = fit(Weight(facts(data)), data, params, Length(60), seed=(0, 0))
    assert metrics["val_r2"] > 0.9999
