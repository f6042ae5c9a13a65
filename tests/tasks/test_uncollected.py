"""The collector of garbage is off inside the block, and as it was after it."""

from __future__ import annotations

import gc

import pytest

from nettuner.tasks.uncollected import uncollected


def test_it_is_off_inside_and_on_again_after_an_error():
    inside = []
    with pytest.raises(KeyError), uncollected():
        {}[inside.append(gc.isenabled())]
    assert inside == [False]
    assert gc.isenabled()


def test_who_had_turned_it_off_finds_it_off():
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
