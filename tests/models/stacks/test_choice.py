"""How a way to train is chosen: by short measurements, within a budget, leaving no traces."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest
import torch
from torch import nn

from nettuner.models import learners
from nettuner.models.data.load import load
from nettuner.models.data.sources.builtin import Builtin
from nettuner.models.learner import Supervised
from nettuner.models.stacks import choice, stack
from nettuner.models.stacks.choice import Bench, Speeds, StackChoice, choose
from nettuner.models.stacks.evaluation import seconds
from nettuner.models.stacks.program import UnstackableError
from nettuner.models.training.loop import facts

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def speeds(monkeypatch):
    """What is measured here is forgotten."""
    monkeypatch.setattr(choice, "SPEEDS", type(choice.SPEEDS)())
    return choice.SPEEDS


DATA = load(Builtin(name="iris"))
FOREVER = 10**9


def mlp():
    return learners.find("mlp")(facts(DATA))


def chosen(learner, members=9, steps=FOREVER, data=DATA, **params):
    given = [{"learning_rate": 0.001 * (k + 1), **params} for k in range(members)]
    way = choose(learner, data, given, [(0, k) for k in range(members)], steps)
    return way, choice.speeds_of(learner, given[0])


@pytest.fixture
def tries(monkeypatch):
    """Every try takes no time, and a step of a member so long as its way is given here."""
    found, takes = [], {}

    def stacked(bench, way, programs):
        found.append(way)
        answer = takes.get(way, takes.get(way.size, 1.0))
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(Bench, "stacked", stacked)
    monkeypatch.setattr(Bench, "alone", lambda *_: 10.0)
    return found, takes


# The choice


@pytest.mark.parametrize(
    ("stacked", "members", "best"),
    [
        ({}, 64, StackChoice()),
        ({StackChoice(8): 5.0, StackChoice(32): 4.0}, 64, StackChoice(32)),
        ({StackChoice(8): 5.0, StackChoice(32): 4.0}, 32, StackChoice(32)),
        ({StackChoice(8): 5.0, StackChoice(32): 4.0}, 31, StackChoice(8)),
        ({StackChoice(8): 5.0, StackChoice(32): 4.0}, 7, StackChoice()),
        (
            {StackChoice(8): 5.0, StackChoice(8, "one by one"): 3.0, StackChoice(32): 4.0},
            64,
            StackChoice(8, "one by one"),
        ),
        ({StackChoice(8): 9.1}, 64, StackChoice()),  # hardly faster than 10
        ({StackChoice(8): 20.0, StackChoice(32): 8.9}, 64, StackChoice(32)),
    ],
)
def test_the_fastest_way_for_so_many_members_is_taken_if_it_is_clearly_faster(
    stacked, members, best
):
    assert Speeds(10.0, stacked).best(members) == best


def test_what_turned_out_to_be_impossible_is_not_chosen():
    assert Speeds(10.0, {StackChoice(8): 1.0}, reason="keeps state").best(64) == StackChoice()


# What is tried


def test_stacks_grow_as_long_as_they_get_faster(tries):
    found, takes = tries
    takes |= {8: 3.0, 32: 2.0, 64: 1.0}
    assert chosen(mlp(), 100)[0] == StackChoice(64)
    assert found == [StackChoice(8), StackChoice(32), StackChoice(64)]


def test_a_size_that_is_slower_is_the_last_that_is_tried(tries):
    found, takes = tries
    takes |= {8: 3.0, 32: 4.0}
    assert chosen(mlp(), 100)[0] == StackChoice(8)
    assert found == [StackChoice(8), StackChoice(32)]


def test_no_stack_is_tried_that_is_larger_than_there_are_members(tries):
    chosen(mlp(), 20)
    assert tries[0] == [StackChoice(8), StackChoice(20)]


def test_one_member_is_never_tried_as_a_stack(tries):
    assert chosen(mlp(), 1)[0] == StackChoice()
    assert tries[0] == []


def test_convolutions_are_tried_in_both_ways_and_then_in_the_faster(tries):
    found, takes = tries
    digits = load(Builtin(name="digits"))
    takes |= {
        StackChoice(8, "one by one"): 2.0,
        StackChoice(8): 3.0,
        StackChoice(32, "one by one"): 1.0,
    }
    learner = learners.find("cnn")(facts(digits))
    assert chosen(learner, 32, data=digits)[0] == StackChoice(32, "one by one")
    assert found == [StackChoice(8, "one by one"), StackChoice(8), StackChoice(32, "one by one")]


def test_where_one_way_of_convolving_is_impossible_the_other_is_taken(tries):
    takes = tries[1]
    digits = load(Builtin(name="digits"))
    takes |= {
        StackChoice(8, "one by one"): UnstackableError("no second derivative"),
        StackChoice(8): 3.0,
    }
    learner = learners.find("cnn")(facts(digits))
    assert chosen(learner, 8, data=digits)[0] == StackChoice(8)


def test_what_was_tried_is_not_tried_again(tries):
    learner = mlp()
    for _ in range(3):
        chosen(learner, 8)
    assert tries[0] == [StackChoice(8)]


@pytest.mark.parametrize("error", [UnstackableError("it branches"), IndexError("odd shapes")])
def test_a_learner_that_cannot_be_stacked_is_not_tried_again(tries, error):
    found, takes = tries
    takes[8] = error
    learner = mlp()
    for _ in range(3):
        way, speeds = chosen(learner, 64)
        assert way == StackChoice()
        assert str(error) in speeds.reason
    assert found == [StackChoice(8)]


@pytest.mark.parametrize(
    ("members", "steps", "count"),
    [
        # Alone a step takes 10 s; a tenth of it may be spent, and the first try may cost 0.3 s.
        (2, 1, 1),  # 2 s may be spent
        (64, 1, 3),
        (9, 0, 0),
    ],
)
def test_nothing_is_tried_that_costs_more_than_a_tenth_of_training(tries, members, steps, count):
    tries[1].update({8: 3.0, 32: 2.0, 64: 1.0})
    chosen(mlp(), members, steps)
    assert len(tries[0]) == count


def test_with_too_little_to_do_nothing_is_tried(tries, monkeypatch):
    monkeypatch.setattr(Bench, "alone", lambda *_: 0.001)
    # 0.1 * 0.001 s * 8 * 124 = 0.0992 s, and with one step more for each 0.1.
    assert chosen(mlp(), 8, 124)[0] == StackChoice()
    assert tries[0] == []
    chosen(mlp(), 8, 126)
    assert tries[0] == [StackChoice(8)]


def test_memory_bounds_how_large_stacks_grow(monkeypatch):
    # A step's arrays: at least a batch of 64 rows of 64 hidden units of 4 bytes for each of 8.
    tried = []
    inner = Bench.stacked
    monkeypatch.setattr(Bench, "stacked", lambda *a: tried.append(a[1]) or inner(*a) * 0 + 0.001)
    monkeypatch.setattr(Bench, "alone", lambda *_: 1.0)
    monkeypatch.setattr(stack, "MOST_BYTES", 4 * 8 * 64 * 64 * 4)
    assert chosen(mlp(), 32)[0] == StackChoice(8)
    assert tried == [StackChoice(8)]


# In earnest


def test_small_networks_are_stacked_whatever_the_machine():
    # Eight tiny networks in a stack take less than half of the time that they take alone.
    way, speeds = chosen(mlp(), 8)
    assert way == StackChoice(8)
    assert 0 < speeds.stacked[way] < speeds.alone
    assert speeds.spent > 0


class Greedy(Supervised):
    """Draws from every generator there is, and remembers what it saw."""

    seen = 0

    def build(self):
        return nn.Linear(4, 3)

    def loss(self, network, networks, batch, now):
        self.seen += 1
        noise = torch.bernoulli(torch.tensor(0.5)) + np.random.rand() + random.random()  # noqa: NPY002
        return super().loss(network, networks, batch, now) * noise


def test_measuring_leaves_learner_and_generators_alone():
    learner = Greedy(facts(DATA))
    torch.manual_seed(7)
    np.random.seed(7)  # noqa: NPY002
    random.seed(7)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    assert chosen(learner)[0] == StackChoice()
    assert learner.seen == 0
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    assert random.getstate() == before[2]


def test_speeds_belong_to_their_learner_even_if_another_takes_its_address(tries):
    for _ in range(8):
        chosen(mlp(), 8)
    assert len(tries[0]) == 8


def test_speeds_and_programs_are_kept_of_the_latest_structures_alone(tries, speeds):
    learner = mlp()
    for hidden in range(1, 100):
        chosen(learner, 2, hidden=hidden)
    assert len(speeds) <= 32
    count = len(tries[0])
    chosen(learner, 2, hidden=99)
    assert len(tries[0]) == count


def test_what_is_measured_on_one_core_is_not_what_the_machine_does_beside_it():
    assert seconds(lambda: time.sleep(0.3)) < 0.1, "the thread did nothing meanwhile"
    began = time.thread_time()
    assert seconds(busy) == pytest.approx(time.thread_time() - began, abs=0.05)


def test_what_is_measured_on_several_cores_is_the_time_that_passes():
    torch.set_num_threads(2)  # the fixture puts it back
    assert seconds(lambda: time.sleep(0.3)) >= 0.3


def busy():
    until = time.thread_time() + 0.1
    while time.thread_time() < until:
        pass
