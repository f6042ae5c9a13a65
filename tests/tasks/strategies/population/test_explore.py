"""What a copy changes: steps in the dimension's own scale."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettuner.models.space import Dimension, Space
from nettuner.tasks.strategies.population.explore import explored, moved, pinned, stepped

DIMENSIONS: dict[str, Any] = {
    "rate": {"distribution": "log-uniform", "low": 1e-6, "high": 1.0},
    "scale": {"distribution": "log-normal", "median": 0.1, "factor": 3},
    "share": {"distribution": "uniform", "low": 0, "high": 1},
    "momentum": {"distribution": "uniform", "low": 0.8, "high": 0.999},
    "signed": {"distribution": "uniform", "low": -3, "high": 5},
    "tiny": {"distribution": "uniform", "low": 0.0, "high": 5e-324},
    "normal": {"distribution": "normal", "mean": 0, "std": 2},
    "cut": {"distribution": "truncated-normal", "mean": 0, "std": 1, "low": -1, "high": 0.5},
    "beta": {"distribution": "scipy", "name": "beta", "args": {"a": 2, "b": 5}},
    "poisson": {"distribution": "scipy", "name": "poisson", "args": {"mu": 4}},
    "few": {"distribution": "integer", "low": 0, "high": 3},
    "stepped": {"distribution": "integer", "low": -10, "high": 50, "step": 5},
    "units": {"distribution": "integer", "low": 1, "high": 512, "log": True},
    "many": {"distribution": "integer", "low": 0, "high": 10**9},
    "grade": {"distribution": "choice", "values": [0.1, 0.5, 0.9, 2.0], "ordered": True},
    "kind": ["a", "b", 3, True],
    "only": {"distribution": "choice", "values": ["only"]},
    "fixed": 0.5,
}
REALS = ["rate", "scale", "share", "momentum", "signed", "normal", "cut", "beta"]
WHOLE = ["few", "stepped", "units", "many", "poisson"]


def dimension(given: Any) -> Dimension:
    return Space.model_validate({"d": given})["d"]


BUILT = {name: dimension(given) for name, given in DIMENSIONS.items()}
UNITS = st.floats(0, 1)
FACTORS = st.floats(1.001, 10)


def line(low: float, high: float) -> dict[str, Any]:
    return {"distribution": "uniform", "low": low, "high": high}


@pytest.mark.parametrize(
    ("given", "value", "up", "expected"),
    [
        # logarithmic: x 1.25 or / 1.25, wherever the value is
        (DIMENSIONS["rate"], 1e-3, True, 1.25e-3),
        (DIMENSIONS["rate"], 1e-3, False, 0.8e-3),
        (DIMENSIONS["rate"], 0.9, True, 1.0),
        (DIMENSIONS["rate"], 1.1e-6, False, 1e-6),
        (DIMENSIONS["scale"], 0.4, True, 0.5),
        # linear: the same from a quarter of the width on
        (line(0, 10), 4.0, True, 5.0),
        (line(0, 10), 4.0, False, 3.2),
        (line(0, 10), 9.0, True, 10.0),
        (line(0, 0.6), 0.5, False, 0.4),
        (line(-10, 10), -8.0, True, -6.4),
        # below a quarter of the width, ln(1.25) / 4 of the width
        (line(0, 1), 0.0, True, 0.05578588782855243),
        (line(0, 1), 0.0, False, 0.0),
        (line(-1, 1), 0.0, False, -0.11157177565710486),
        (line(0, 1), 0.1, True, 0.1 + 0.05578588782855243),
        # further from zero than the range is wide, ln(1.25) of the width
        (line(10, 11), 10.5, True, 10.5 + 0.22314355131420976),
        (line(10, 11), 10.1, False, 10.0),
        # no scale: ln(1.25) / 2 = 0.1116 in unit space, from 0.5 to 0.6116
        (DIMENSIONS["normal"], 0.0, True, 2 * 0.28343),
        (DIMENSIONS["normal"], 0.0, False, -2 * 0.28343),
        # whole numbers: the nearest, at least the next
        ({"distribution": "integer", "low": 0, "high": 20}, 8, True, 10),
        ({"distribution": "integer", "low": 0, "high": 20}, 10, False, 8),
        ({"distribution": "integer", "low": 0, "high": 3}, 0, True, 1),
        ({"distribution": "integer", "low": 0, "high": 3}, 0, False, 1),
        ({"distribution": "integer", "low": 0, "high": 3}, 3, True, 2),
        ({"distribution": "integer", "low": 0, "high": 60, "step": 5}, 40, True, 50),
        ({"distribution": "integer", "low": 0, "high": 60, "step": 5}, 0, True, 5),
        ({"distribution": "integer", "low": 1, "high": 512, "log": True}, 64, True, 80),
        ({"distribution": "integer", "low": 1, "high": 512, "log": True}, 2, False, 1),
        ({"distribution": "integer", "low": 1, "high": 512, "log": True}, 1, False, 2),
        (DIMENSIONS["poisson"], 4, True, 5),
        # choices
        (DIMENSIONS["grade"], 0.5, True, 0.9),
        (DIMENSIONS["grade"], 0.5, False, 0.1),
        (DIMENSIONS["grade"], 2.0, True, 0.9),
        (DIMENSIONS["grade"], 0.1, False, 0.5),
        ({"distribution": "choice", "values": [1, True], "ordered": True}, True, True, 1),
        ([True, False], True, True, False),
        (DIMENSIONS["only"], "only", True, "only"),
        (0.5, 0.5, True, 0.5),
    ],
)
def test_a_step(given, value, up, expected):
    found = moved(dimension(given), value, 1.25, up)
    assert type(found) is type(expected)
    assert found == (pytest.approx(expected, rel=1e-4) if isinstance(found, float) else expected)


def test_an_unordered_choice_moves_to_each_other_value():
    kinds = dimension(["a", "b", "c"])
    assert [moved(kinds, "b", 1.25, True, which) for which in (0.1, 0.9)] == ["a", "c"]


def test_a_step_beyond_an_unbounded_tail_comes_back():
    # Up from the 95 % quantile by 0.1116 is 1.0616, which reflects to 0.9384.
    normal = dimension({"distribution": "normal", "mean": 0, "std": 1})
    found = moved(normal, normal.from_unit(0.95), 1.25, True)
    assert normal.to_unit(found) == pytest.approx(0.9384, abs=1e-4)


@pytest.mark.parametrize("name", DIMENSIONS)
@given(UNITS, FACTORS, st.booleans(), st.floats(0, 1, exclude_max=True))
def test_a_step_stays_in_the_dimension_and_keeps_the_type(name, unit, factor, up, which):
    before = BUILT[name].from_unit(unit)
    after = moved(BUILT[name], before, factor, up, which)
    assert BUILT[name].contains(after)
    if name != "kind":
        assert type(after) is type(before)


@pytest.mark.parametrize("name", [*WHOLE, "grade", "kind"])
@given(UNITS, FACTORS, st.booleans(), st.floats(0, 1, exclude_max=True))
def test_what_can_be_listed_moves_by_at_least_one(name, unit, factor, up, which):
    before = BUILT[name].from_unit(unit)
    after = moved(BUILT[name], before, factor, up, which)
    assert (type(after), after) != (type(before), before)


@pytest.mark.parametrize("name", REALS)
@given(UNITS, st.floats(1.001, 2))
def test_a_step_up_and_a_step_down_cancel_out_unless_a_bound_is_met(name, unit, factor):
    real = BUILT[name]
    before = real.from_unit(unit)
    for up in (True, False):
        there = moved(real, before, factor, up)
        met = there in (real.from_unit(0.0), real.from_unit(1.0))
        if met or (not real.bounded and not 0.35 < real.to_unit(before) < 0.65):
            continue
        back = moved(real, there, factor, not up)
        assert real.to_unit(back) == pytest.approx(real.to_unit(before), abs=1e-9)


@pytest.mark.parametrize("name", ["few", "stepped", "units", "many"])
@given(UNITS)
def test_a_whole_number_goes_up_and_comes_back(name, unit):
    whole = BUILT[name]
    before = whole.from_unit(unit)
    there = moved(whole, before, 1.25, True)
    if before < there < whole.from_unit(1.0) and before >= 0:
        assert moved(whole, there, 1.25, False) == before


@given(st.floats(-20, 20), st.floats(-2, 2))
def test_steps_on_a_linear_dimension_add_up(size, step):
    assert stepped(stepped(size, step), -step) == pytest.approx(size, abs=1e-9)
    assert stepped(stepped(size, step / 2), step / 2) == pytest.approx(
        stepped(size, step), abs=1e-9
    )
    assert stepped(-size, -step) == -stepped(size, step)


def test_nothing_drifts():
    """x 0.8 and x 1.2 would leave 0.36 of the value after 50 steps, half of them upwards."""
    rate, value = BUILT["rate"], 1e-3
    for i in range(50):
        value = moved(rate, value, 1.25, up=i % 2 == 0)
    assert value == pytest.approx(1e-3)


def test_steps_reach_both_ends_of_every_real_dimension():
    for name in ("rate", "share", "momentum", "signed", "cut"):
        real = BUILT[name]
        for up, end in ((True, 1.0), (False, 0.0)):
            value = real.from_unit(0.5)
            for _ in range(100):
                value = moved(real, value, 1.25, up)
            assert value == real.from_unit(end), name


def test_a_structural_dimension_is_pinned_with_what_decides_whether_it_exists():
    space = Space.model_validate(
        {
            "kind": ["deep", "flat"],
            "depth": {
                "distribution": "integer", "low": 1, "high": 9, "when": {"kind": "deep"}
            },
            "rate": line(0, 1),
        }
    )  # fmt: skip
    assert pinned(space, {"depth", "not_searched"}) == {"depth", "kind"}
    params = {"kind": "deep", "depth": 3, "rate": 0.5}
    for seed in range(20):
        rng = np.random.default_rng(seed)
        found = explored(space, params, {"depth", "kind"}, 1.25, 0.5, rng)
        assert found == {**params, "rate": found["rate"]}
        assert found["rate"] != 0.5


def test_dimensions_are_explored_independently_of_each_other():
    """A pinned or absent dimension uses its random numbers up all the same."""
    space = Space.model_validate({"a": line(0, 1), "b": line(0, 1)})
    params = {"a": 0.5, "b": 0.5}
    for seed in range(20):
        free, bound = (
            explored(space, params, held, 1.25, 0.5, np.random.default_rng(seed))
            for held in (set(), {"a"})
        )
        assert free["b"] == bound["b"]
    assert math.isclose(bound["a"], 0.5)
