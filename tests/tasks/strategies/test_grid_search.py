"""Grid search tries every combination once."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from nettuner.models.space import Space
from nettuner.models.study import Study, Trial
from nettuner.tasks import strategies
from nettuner.tasks.strategies.grid_search import GridSearch


def space(**dimensions: Any) -> Space:
    return Space.model_validate(dimensions)


def real(low: float, high: float, **other: Any) -> dict[str, Any]:
    return {"distribution": "uniform", "low": low, "high": high, **other}


def points(grid: GridSearch, over: Space) -> list[dict[str, Any]]:
    return [dict(p.params) for p in grid.propose(over, [], [], 1000)]


def as_set(configurations: list[dict[str, Any]]) -> set[tuple[Any, ...]]:
    return {tuple(params.items()) for params in configurations}


UNIT = space(x=real(0, 1), y=real(0, 1))
SGD = space(
    optimizer=["sgd", "adam"],
    momentum=real(0, 1, when={"optimizer": "sgd"}),
    nesterov={"distribution": "choice", "values": [True, False], "when": {"momentum": 1.0}},
)


def test_two_values_of_two_dimensions_are_the_four_corners():
    found = points(GridSearch(seed=0, resolution=2), UNIT)
    assert as_set(found) == {(("x", x), ("y", y)) for x in (0.0, 1.0) for y in (0.0, 1.0)}
    assert len(found) == 4


def test_a_log_scale_is_divided_by_factors():
    over = space(lr={"distribution": "log-uniform", "low": 1e-4, "high": 1e-2})
    found = points(GridSearch(seed=0, resolution=3), over)
    assert sorted(params["lr"] for params in found) == pytest.approx([1e-4, 1e-3, 1e-2])


def test_resolution_may_differ_between_dimensions():
    found = points(GridSearch(seed=0, resolution={"x": 5}), UNIT)
    assert sorted({params["x"] for params in found}) == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert sorted({params["y"] for params in found}) == [0.0, 0.5, 1.0]
    assert len(found) == 15


def test_given_values_are_tried_as_given_and_as_floats_where_the_dimension_is_one():
    found = points(GridSearch(seed=0, values={"x": [0, 0.3]}, resolution=1), UNIT)
    assert as_set(found) == {(("x", 0.0), ("y", 0.5)), (("x", 0.3), ("y", 0.5))}
    assert all(type(params["x"]) is float for params in found)


def test_dimensions_that_do_not_exist_multiply_nothing():
    # adam alone; sgd with momentum 0; sgd with momentum 1 and nesterov on or off.
    grid = GridSearch(seed=0, resolution=2)
    assert grid.size(SGD) == 4
    assert as_set(points(grid, SGD)) == {
        (("optimizer", "adam"),),
        (("optimizer", "sgd"), ("momentum", 0.0)),
        (("optimizer", "sgd"), ("momentum", 1.0), ("nesterov", True)),
        (("optimizer", "sgd"), ("momentum", 1.0), ("nesterov", False)),
    }


@pytest.mark.parametrize(
    ("trials", "size"),
    [(100, 100), (99, 90), (9, 9), (8, 8), (3, 4), (None, 9)],  # 10x10, 10x9, 3x3, 4x2, 2x2; 3x3
)
def test_the_resolution_is_the_finest_that_fits_the_budget(trials, size):
    study = Study.model_validate(
        {
            "name": "g",
            "learner": "mlp",
            "metric": "m",
            "space": {"x": real(0, 1), "y": real(0, 1)},
            "strategy": "grid",
            "stop": {"trials": trials},
        }
    )
    assert strategies.load(study).size(study.space) == size


def test_the_first_quarter_of_a_grid_is_spread_over_the_space():
    line = space(x=real(0, 1))
    grids = [GridSearch(seed=seed, resolution=100) for seed in range(40)]
    quarters = [grid.propose(line, [], [], 25) for grid in grids]
    firsts = np.array([np.mean([p.params["x"] for p in quarter]) for quarter in quarters])
    # A mean of 25 of 100 without replacement: sd 0.2915 * sqrt(75/99) / 5 = 0.0508. A single one
    # is six of them off about once in 10^9, so one of forty once in 10^7; in order it were 0.12.
    assert np.all(np.abs(firsts - 0.5) < 6 * 0.0508)


def test_trial_k_is_the_same_point_whatever_was_lost():
    grid = GridSearch(seed=3, resolution=3)
    whole = grid.propose(UNIT, [], [], 9)
    assert [p.number for p in whole] == list(range(9))
    lost = [Trial(proposal, 0.0) for proposal in whole if proposal.number not in (2, 5)]
    assert grid.propose(UNIT, lost, [], 9) == [whole[2], whole[5]]


@pytest.mark.parametrize("dimensions", [6, 30])
def test_a_hopelessly_large_grid_is_refused_before_it_is_listed(dimensions):
    over = space(**{f"x{i}": real(0, 1) for i in range(dimensions)})
    with pytest.raises(ValueError, match=r"at most 100,000 configurations, got .*; lower") as info:
        GridSearch(seed=0, resolution=10).size(over)
    assert "\n" not in str(info.value)


def test_a_hopelessly_large_grid_of_conditions_is_refused_as_well():
    many = list(range(10))
    over = {"x0": many} | {
        f"x{i}": {"distribution": "choice", "values": many, "when": {f"x{i - 1}": many}}
        for i in range(1, 30)
    }
    with pytest.raises(ValueError, match="at most 100,000"):
        GridSearch(seed=0).propose(space(**over), [], [], 1)


def test_one_hundred_thousand_configurations_are_allowed():
    over = space(**{f"x{i}": real(0, 1) for i in range(5)})
    grid = GridSearch(seed=0, resolution=10)
    assert grid.size(over) == 100_000
    assert len(grid.propose(over, [], [], 3)) == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"values": {"z": [1]}}, "values must name dimensions, got 'z'; the space has: x, y"),
        ({"resolution": {"z": 2}}, "resolution must name dimensions, got 'z'"),
        ({"values": {"x": [0.5, 2.0]}}, "inside their dimension, got x=2.0; it takes 0 to 1"),
        ({"values": {"x": [1, 1.0]}}, "must be distinct, got x=1.0 twice; drop one"),
    ],
)
def test_settings_that_do_not_fit_the_space_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        GridSearch(seed=0, **settings).size(UNIT)


@pytest.mark.parametrize("settings", [{"resolution": 0}, {"values": {"x": []}}])
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ValidationError):
        GridSearch(seed=0, **settings)


def test_the_order_does_not_depend_on_the_process():
    code = (
        "from nettuner.models.space import Space;"
        "from nettuner.tasks.strategies.grid_search import GridSearch;"
        "w = {'a': True, 'b': True, 'c': True};"
        "s = Space.model_validate({'d': {'distribution': 'choice', 'values': [1, 2], 'when': w},"
        " **{k: [True, False] for k in w}, 'e': {'distribution': 'choice', 'values': [1, 2],"
        " 'when': {'d': 1}}});"
        "print([dict(p.params) for p in GridSearch(seed=0).propose(s, [], [], 99)])"
    )
    orders = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2", "3")
    }
    assert len(orders) == 1
