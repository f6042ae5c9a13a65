"""Configurations as points, and points as the columns of a model."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nettuner.models.space import Space
from nettuner.tasks.strategies.bayesian.coordinates import Coordinates, identity

SPACE = Space.model_validate(
    {
        "optimizer": ["sgd", "adam", "lion"],
        "momentum": {"distribution": "uniform", "low": 0, "high": 1, "when": {"optimizer": "sgd"}},
        "odd": [1, True],
        "units": {"distribution": "integer", "low": 1, "high": 4},
        "noise": {"distribution": "normal", "mean": 0, "std": 1},
        "fixed": "yes",
        "exact": {"distribution": "choice", "values": [5, 6], "when": {"momentum": 1.0}},
    }
)
SGD = {
    "optimizer": "sgd", "momentum": 1.0, "odd": True, "units": 2, "noise": 0.0, "fixed": "yes",
    "exact": 6,
}  # fmt: skip
ADAM = {"optimizer": "adam", "odd": 1, "units": 4, "noise": 0.0, "fixed": "yes"}
HALF = math.sqrt(0.5)


def test_points_hold_positions_of_values_and_quantiles():
    points = Coordinates(SPACE).points([SGD, ADAM])
    expected = [[0, 1, 1, 1, 0.5, 0, 1], [1, np.nan, 0, 3, 0.5, 0, np.nan]]
    assert np.array_equal(points, np.array(expected), equal_nan=True)


def test_columns_are_one_per_order_and_one_per_unordered_value():
    coordinates = Coordinates(SPACE)
    columns = coordinates.columns(coordinates.points([SGD, ADAM]))
    expected = [
        #  sgd, adam, lion   momentum, off   one, True   units  noise    five, six
        [HALF, 0, 0, 1.0, 0.0, 0, HALF, 0.375, 0.5, 0, HALF],
        [0, HALF, 0, 0.5, 0.5, HALF, 0, 0.875, 0.5, 0, 0],
    ]
    assert columns == pytest.approx(np.array(expected))
    assert coordinates.groups.tolist() == [0, 0, 0, 1, 1, 2, 2, 3, 4, 5, 5]


def test_the_tails_of_a_gaussian_are_seen_as_they_are():
    space = Space.model_validate(
        {
            "normal": {"distribution": "normal", "mean": 10, "std": 2},
            "log": {"distribution": "log-normal", "median": 1e-3, "factor": 10},
            "cut": {
                "distribution": "truncated-normal", "mean": 0, "std": 1, "low": -1, "high": 9,
            },
        }
    )  # fmt: skip
    coordinates = Coordinates(space)
    points = coordinates.points(
        [{"normal": 10 + 2 * z, "log": 1e-3 * 10**z, "cut": 5.0} for z in (-3.1, 0, 1.55, 3.1, 9)]
    )
    assert points[:, 0] == pytest.approx([0, 0.5, 0.75, 1, 1])
    assert points[:, 1] == pytest.approx([0, 0.5, 0.75, 1, 1])
    assert points[:, 2] == pytest.approx([0.6] * 5)
    # Two Gaussians z deviations off: -z^2 / 2 each. The third is 5 deviations off: -12.5.
    expected = [-(z**2) - 12.5 for z in (-3.1, 0, 1.55, 3.1, 3.1)]
    assert coordinates.log_prior(points) == pytest.approx(expected)


def test_all_of_a_plain_range_is_equally_likely():
    uniform = {"distribution": "uniform", "low": 0, "high": 10}
    coordinates = Coordinates(Space.model_validate({"a": uniform, "b": uniform}))
    points = coordinates.points([{"a": a, "b": b} for a, b in ((5, 5), (0, 5), (10, 0), (7, 5))])
    assert coordinates.log_prior(points).tolist() == [0] * 4


def test_columns_that_are_positions_are_told_from_all_others():
    when = {"kind": "a"}
    coordinates = Coordinates(
        Space.model_validate(
            {
                "rate": {"distribution": "uniform", "low": 0, "high": 1},
                "kind": ["a", "b", "c"],
                "size": {"distribution": "choice", "values": [1, 2, 4], "ordered": True},
                "only": {"distribution": "uniform", "low": 0, "high": 1, "when": when},
                "fixed": [7],
            }
        )
    )
    # One column for the rate, one for each kind, one for the size, two for what may be absent.
    assert coordinates.positions.tolist() == [0, 4, 5]
    assert coordinates.absences.tolist() == [-1, -1, 6]
    assert coordinates.groups.tolist() == [0, 1, 1, 1, 2, 3, 3]


def test_weights_of_an_unordered_choice_are_a_prior():
    weights = {"distribution": "choice", "values": ["a", "b", "c"], "weights": [8, 4, 1]}
    coordinates = Coordinates(Space.model_validate({"kind": weights, "x": [1, 2]}))
    points = coordinates.points([{"kind": k, "x": 1} for k in "abc"])
    assert np.exp(coordinates.log_prior(points)) == pytest.approx([1, 1 / 2, 1 / 8])


def test_configurations_survive_the_way_to_points_and_back():
    coordinates = Coordinates(SPACE)
    rng = np.random.default_rng(0)
    given = [SGD, ADAM] + [SPACE.sample(rng) for _ in range(50)]
    found = [coordinates.params(point) for point in coordinates.points(given)]
    for before, after in zip(given, found, strict=True):
        assert list(after) == list(before)
        for name in before:
            assert after[name] == pytest.approx(before[name])
            assert type(after[name]) is type(before[name])


def test_true_is_not_one():
    assert identity({"odd": True}) != identity({"odd": 1})
    assert identity({"a": 1, "b": 2}) == identity({"b": 2, "a": 1})


@pytest.mark.parametrize("radius", [0.001, 0.1, 10.0])
def test_neighbours_are_configurations_of_the_space(radius):
    coordinates, rng = Coordinates(SPACE), np.random.default_rng(0)
    points = np.repeat(coordinates.points([SGD, ADAM]), 100, axis=0)
    near = coordinates.nearby(points, radius, rng)
    assert all(SPACE.contains(coordinates.params(point)) for point in near)
    same = np.all((near == points) | (np.isnan(near) & np.isnan(points)), axis=1)
    assert same.mean() < 0.5  # a move of something fixed or inactive is none
    assert 0 <= near[:, 4].min() <= near[:, 4].max() <= 1


def test_flips_are_all_that_differ_in_one_listed_value():
    coordinates = Coordinates(SPACE)
    flips = coordinates.flips(coordinates.points([ADAM]), np.random.default_rng(0))
    found = [coordinates.params(point) for point in flips]
    assert all(SPACE.contains(params) for params in found)
    assert [params["optimizer"] for params in found[:2]] == ["lion", "sgd"]
    assert "momentum" in found[1]
    assert found[2] == {**ADAM, "odd": True}
    assert sorted(params["units"] for params in found[3:6]) == [1, 2, 3]


def test_quantiles_become_the_values_they_stand_for():
    coordinates = Coordinates(SPACE)
    units = np.array([[0.1, 0.5, 0.9, 0.6, 0.5, 0.3, 0.2]])
    point = coordinates.masked(coordinates.drawn(units))[0]
    assert coordinates.params(point) == SPACE.from_units(
        dict(zip(SPACE.names(), units[0].tolist(), strict=True))
    )
