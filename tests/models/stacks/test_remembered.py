"""How a structure is trained is measured once on a machine, and then remembered."""

from __future__ import annotations

import pytest

from nettuner.models import learners
from nettuner.models.data.load import load
from nettuner.models.data.sources.builtin import Builtin
from nettuner.models.stacks.choice import StackChoice
from nettuner.models.stacks.remembered import remembered
from nettuner.models.training.loop import facts

DATA = load(Builtin(name="iris"))


@pytest.fixture
def ask(tmp_path):
    """Asks for a way to train; the measured one is given here."""

    def ask(measured, members=4, steps=100, name="mlp", reason=None, **params):
        learner = learners.find(name)(facts(DATA))
        given = [{"learning_rate": 0.1, **params}] * members
        folder = tmp_path / "stacks"
        return remembered(folder, learner, DATA, given, steps, lambda: (measured, reason))

    return ask


def test_the_first_measurement_decides(ask):
    assert ask(StackChoice(8, True)) == (StackChoice(8, True), None)
    assert ask(StackChoice(32)) == (StackChoice(8, True), None)


def test_why_it_cannot_be_stacked_is_remembered_too(ask):
    ask(StackChoice(), reason="it branches")
    assert ask(StackChoice(4)) == (StackChoice(), "it branches")


@pytest.mark.parametrize(
    "change", [{"members": 5}, {"steps": 101}, {"hidden": 99}, {"batch_size": 16}]
)
def test_what_makes_another_measurement_is_another_choice(ask, change):
    ask(StackChoice(8))
    assert ask(StackChoice(2), **change) == (StackChoice(2), None)


def test_where_another_process_has_chosen_meanwhile_its_choice_is_taken(ask, tmp_path):
    learner = learners.find("mlp")(facts(DATA))
    given = [{"learning_rate": 0.1}] * 4

    def measure():
        ask(StackChoice(16))  # the other one is faster
        return StackChoice(2), None

    found = remembered(tmp_path / "stacks", learner, DATA, given, 100, measure)
    assert found == (StackChoice(16), None)
    assert [path.suffix for path in (tmp_path / "stacks").iterdir()] == [".json"]


def test_a_measurement_that_fails_is_not_remembered(ask, tmp_path):
    learner = learners.find("mlp")(facts(DATA))

    def measure():
        raise ArithmeticError("too fast")

    with pytest.raises(ArithmeticError):
        remembered(tmp_path / "stacks", learner, DATA, [{"learning_rate": 0.1}] * 4, 100, measure)
    assert ask(StackChoice(2)) == (StackChoice(2), None)
