"""Ranges by the names of hyperparameters, and around a default where a name says nothing."""

import pytest

from nettuner.models.space import Space
from nettuner.models.usual_ranges import BY_NAME, usual_range


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("learning_rate", 1e-4, 3e-2),
        ("generator_learning_rate", 1e-4, 3e-2),
        ("lr", 1e-4, 3e-2),
        ("weight_decay", 1e-6, 1e-1),
        ("attention_dropout", 0.0, 0.5),
        ("encoder_layers", 1, 3),
        ("hidden_units", 16, 128),
    ],
)
def test_a_usual_name_has_a_usual_range(name, low, high):
    found = usual_range(name)
    assert (found["low"], found["high"]) == (low, high)


def test_the_letters_lr_inside_a_word_say_nothing():
    assert usual_range("already") is None


def test_another_name_is_searched_around_its_default():
    whole, real = usual_range("beams", 8), usual_range("alpha", 0.5)
    assert whole == {"distribution": "integer", "low": 2, "high": 32, "log": True}
    assert real == {"distribution": "log-uniform", "low": 0.125, "high": 2.0}


def test_a_switch_and_choices_have_all_their_values():
    assert usual_range("bias", True) == [False, True]
    assert usual_range("norm", "layer", ("layer", "batch")) == ["layer", "batch"]


def test_nothing_is_guessed_from_nothing():
    assert usual_range("alpha") is None
    assert usual_range("alpha", 0.0) is None
    assert usual_range("mode", "fast") is None


def test_every_range_is_a_dimension():
    Space.model_validate({f"x{k}": written for k, written in enumerate(BY_NAME.values())})
