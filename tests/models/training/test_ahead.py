"""Masks drawn ahead are those that each step would have drawn by itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from nettuner.models.training import ahead
from nettuner.models.training.ahead import Ahead
from nettuner.models.training.randomness import Randomness, step_keys

KEYS = [step_keys(np.array([7], np.uint32), np.arange(7) + 7 * k, 0)[:, 0] for k in range(3)]
ROWS = [16, 16, 16, 16, 16, 16, 5]  # a last mini-batch of five


def two_layers(step, inputs):
    """Two of one shape, one at another rate in the last step, one that only some steps draw."""
    first = functional.dropout(inputs, 0.3)
    second = functional.dropout(first, 0.3 if step < 6 else 0.4)
    return functional.dropout(second, 0.5) if step % 2 else second + torch.rand_like(second)


def drawn(randomness, round_, step):
    with randomness:
        return two_layers(step, torch.ones(ROWS[step], 8))


def test_every_step_draws_what_it_would_have_drawn_alone():
    many, one = Ahead(), Randomness()
    for round_, keys in enumerate(KEYS):
        many.begin_round(keys)
        for step, key in enumerate(keys):
            many.next_step()
            one.begin(key)
            assert torch.equal(drawn(many, round_, step), drawn(one, round_, step))


def test_masks_of_half_precision_are_drawn_ahead_too():
    many, one = Ahead(), Randomness()
    many.begin_round(KEYS[0])
    for key in KEYS[0]:
        many.next_step()
        one.begin(key)
        for dtype in (torch.bfloat16, torch.float64):
            with many:
                found = functional.dropout(torch.ones(4, dtype=dtype), 1.0)
            with one:
                assert torch.equal(found, functional.dropout(torch.ones(4, dtype=dtype), 1.0))
            assert found.dtype == dtype


@pytest.fixture
def hashes(monkeypatch):
    """How many masks each hash was for."""
    found = []

    def counted(keys, draw, shape, device):
        found.append(keys.numel())
        return hashed(keys, draw, shape, device)

    hashed = ahead.hashed
    monkeypatch.setattr(ahead, "hashed", counted)
    monkeypatch.setattr("nettuner.models.training.randomness.hashed", counted)
    return found


def train(rounds, rows):
    randomness = Ahead()
    for keys in KEYS[:rounds]:
        randomness.begin_round(keys)
        for count in rows:
            randomness.next_step()
            with randomness:
                functional.dropout(torch.ones(count, 8), 0.5)


def test_a_round_of_seven_alike_steps_hashes_once_from_the_second_round_on(hashes):
    train(rounds=3, rows=[16] * 7)
    # The first step shows what will be drawn; then the six others at once; then rounds as a whole.
    assert hashes == [1, 6, 7, 7]


def test_a_last_smaller_batch_is_drawn_by_itself(hashes):
    train(rounds=2, rows=ROWS)
    assert hashes == [1, 6, 1, 7, 1]


def test_no_more_is_drawn_ahead_than_memory_is_meant_for(hashes, monkeypatch):
    monkeypatch.setattr(ahead, "MOST_AHEAD", 3 * 16 * 8)
    train(rounds=1, rows=[16] * 7)
    assert hashes == [1, 3, 3]


def test_masks_that_are_large_are_drawn_one_by_one(hashes, monkeypatch):
    monkeypatch.setattr(ahead, "MOST_AHEAD", 16 * 8)
    train(rounds=1, rows=[16] * 7)
    assert hashes == [1] * 7
