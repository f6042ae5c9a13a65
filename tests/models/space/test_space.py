"""Every dimension is a distribution: its quantile and distribution functions agree."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from scipy import stats

from nettuner.models.space import (
    AnyDimension,
    Choice,
    Dimension,
    Fixed,
    Integer,
    LogNormal,
    LogUniform,
    Normal,
    Scipy,
    Space,
    TruncatedNormal,
    Uniform,
    same,
)

ANY_DIMENSION: TypeAdapter[Dimension] = TypeAdapter(AnyDimension)
PLAIN = {int, float, str, bool}

numbers = st.floats(-1e6, 1e6).map(lambda x: round(x, 6))
positive = st.floats(1e-6, 1e6).map(lambda x: round(x, 6))
units = st.floats(0, 1)
plain_values = st.one_of(st.booleans(), st.integers(-5, 5), numbers, st.text(max_size=3))


@st.composite
def uniforms(draw):
    low, high = sorted((draw(numbers), draw(numbers)))
    assume(low < high)
    return Uniform(low, high)


@st.composite
def log_uniforms(draw):
    low, high = sorted((draw(positive), draw(positive)))
    assume(low < high)
    return LogUniform(low, high)


@st.composite
def truncated_normals(draw):
    std = draw(st.floats(0.1, 10))
    low = draw(st.floats(-20, 20))
    return TruncatedNormal(
        low + std * draw(st.floats(-8, 8)), std, low, low + std * draw(st.floats(0.1, 5))
    )


@st.composite
def integers(draw):
    log, low = draw(st.booleans()), draw(st.integers(-100, 100))
    low = abs(low) + 1 if log else low
    step = 1 if log else draw(st.integers(1, 5))
    return Integer(low, low + step * draw(st.integers(1, 200)), log=log, step=step)


@st.composite
def choices(draw):
    values = []
    for value in draw(st.lists(plain_values, min_size=1, max_size=6)):
        if not any(same(value, other) for other in values):
            values.append(value)
    weighted = st.lists(st.floats(0.01, 100), min_size=len(values), max_size=len(values))
    return Choice(values, weights=draw(st.none() | weighted), ordered=draw(st.booleans()))


normals = st.builds(Normal, st.floats(-1e3, 1e3), st.floats(0.01, 1e3))
log_normals = st.builds(LogNormal, st.floats(1e-3, 1e3), st.floats(1.01, 20))
scipy_reals = st.sampled_from(
    [
        Scipy("beta", {"a": 2, "b": 5}),
        Scipy("gamma", {"a": 3, "scale": 0.1}),
        Scipy("laplace"),
        Scipy("loguniform", {"a": 0.001, "b": 1}),
        Scipy("uniform", {"loc": -1, "scale": 2}),
    ]
)
scipy_integers = st.sampled_from(
    [
        Scipy("poisson", {"mu": 4}),
        Scipy("binom", {"n": 20, "p": 0.3}),
        Scipy("geom", {"p": 0.2, "loc": 3}),
        Scipy("randint", {"low": 1, "high": 7}),
    ]
)
fixed = st.builds(Fixed, plain_values)
reals = st.one_of(
    uniforms(), log_uniforms(), normals, log_normals, truncated_normals(), scipy_reals
)
discrete = st.one_of(integers(), choices(), scipy_integers, fixed)
dimensions = st.one_of(reals, discrete)


@given(discrete, units)
def test_a_discrete_value_survives_the_way_to_the_unit_interval_and_back(dimension, unit):
    value = dimension.from_unit(unit)
    assert same(dimension.from_unit(dimension.to_unit(value)), value)


@given(reals, st.floats(0.01, 0.99))
def test_a_real_value_survives_the_way_to_the_unit_interval_and_back(dimension, unit):
    value = dimension.from_unit(unit)
    width = abs(dimension.from_unit(0.99) - dimension.from_unit(0.01))
    again = dimension.from_unit(dimension.to_unit(value))
    assert again == pytest.approx(value, rel=1e-9, abs=1e-7 * width)


@given(dimensions, units)
def test_every_value_lies_in_the_unit_interval(dimension, unit):
    where = dimension.to_unit(dimension.from_unit(unit))
    assert type(where) is float
    assert 0 <= where <= 1


@given(dimensions, st.lists(units, min_size=2, max_size=8))
def test_a_higher_quantile_is_never_a_lower_value(dimension, where):
    assume(not isinstance(dimension, Choice | Fixed))
    values = [dimension.from_unit(unit) for unit in sorted(where)]
    for left, right in pairwise(values):
        assert left <= right or math.isclose(left, right, rel_tol=1e-12)


@given(choices(), st.lists(units, min_size=2, max_size=8))
def test_choices_come_in_their_own_order(dimension, where):
    def index(unit):
        value = dimension.from_unit(unit)
        return next(i for i, known in enumerate(dimension.values) if same(known, value))

    found = [index(unit) for unit in sorted(where)]
    assert found == sorted(found)


@given(dimensions, units)
def test_every_value_is_plain_contained_and_survives_json(dimension, unit):
    for value in (dimension.from_unit(unit), dimension.from_unit(np.float64(unit))):
        assert type(value) in PLAIN
        assert dimension.contains(value)
        again = json.loads(json.dumps(value, allow_nan=False))
        assert type(again) is type(value)
        assert again == value
        assert dimension.contains(again)


@given(dimensions, st.sampled_from([0.0, 1.0]))
def test_the_ends_are_contained_and_finite(dimension, unit):
    value = dimension.from_unit(unit)
    assert dimension.contains(value)
    assert isinstance(value, str) or math.isfinite(value)


@given(dimensions)
def test_a_dimension_survives_json(dimension):
    dimension.from_unit(0.5)  # what is cached is no field
    assert (
        ANY_DIMENSION.validate_python(json.loads(ANY_DIMENSION.dump_json(dimension))) == dimension
    )


@given(dimensions, st.integers(1, 12))
def test_a_grid_has_at_most_resolution_distinct_values_and_both_ends(dimension, resolution):
    grid = dimension.grid(resolution)
    assert all(not same(a, b) for i, a in enumerate(grid) for b in grid[:i])
    assert all(dimension.contains(value) for value in grid)
    if dimension.is_ordered:
        assert len(grid) <= resolution
        if dimension.bounded and resolution > 1:
            assert same(grid[0], dimension.from_unit(0.0))
            assert same(grid[-1], dimension.from_unit(1.0))
    else:
        assert len(grid) == len(dimension.levels)


@pytest.mark.parametrize(
    ("dimension", "resolution", "grid"),
    [
        (Uniform(0, 1), 3, [0.0, 0.5, 1.0]),
        (Uniform(0, 1), 1, [0.5]),
        (LogUniform(1, 100), 3, [1.0, pytest.approx(10), 100.0]),
        (Integer(1, 3), 10, [1, 2, 3]),
        (Integer(1, 10), 3, [1, 6, 10]),
        (Integer(0, 10, step=5), 5, [0, 5, 10]),
        (Choice(["a", "b", "c"]), 2, ["a", "b", "c"]),
        (Choice([16, 32, 64, 128, 256], ordered=True), 3, [16, 64, 256]),
        (Choice([0, 1, True, 2], ordered=True), 3, [0, True, 2]),
        (Fixed("adam"), 5, ["adam"]),
        (Normal(0, 1), 2, [pytest.approx(-0.67449, abs=1e-5), pytest.approx(0.67449, abs=1e-5)]),
        (Scipy("beta", {"a": 1, "b": 1}), 3, [0.0, pytest.approx(0.5), 1.0]),
    ],
)
def test_grids_that_a_reader_can_check(dimension, resolution, grid):
    assert dimension.grid(resolution) == grid


def test_the_ends_of_an_unbounded_dimension_are_no_part_of_its_grid():
    quarters = Normal(0, 1).grid(2)
    assert [Normal(0, 1).to_unit(value) for value in quarters] == pytest.approx([0.25, 0.75])


def test_a_grid_of_no_resolution_is_refused():
    with pytest.raises(ValueError, match="needs a resolution of at least 1, got 0; raise it"):
        Uniform(0, 1).grid(0)


def shares(dimension, parts):
    """How many of `parts` equal slices of the unit interval each value gets."""
    return Counter(dimension.from_unit((i + 0.5) / parts) for i in range(parts))


def test_the_ends_of_an_integer_range_are_as_likely_as_the_others():
    assert shares(Integer(1, 5), 1000) == dict.fromkeys([1, 2, 3, 4, 5], 200)
    assert shares(Integer(-4, 4, step=2), 1000) == dict.fromkeys([-4, -2, 0, 2, 4], 200)


@given(st.integers(1, 50), st.integers(1, 50))
@settings(max_examples=25)
def test_a_log_integer_is_as_likely_as_the_interval_around_it(low, width):
    dimension = Integer(low, low + width, log=True)
    total = math.log((low + width + 0.5) / (low - 0.5))
    parts = 20_000
    found = shares(dimension, parts)
    for k in range(low, low + width + 1):
        wanted = math.log((k + 0.5) / (k - 0.5)) / total
        assert found[k] / parts == pytest.approx(wanted, abs=1.001 / parts)


def test_weights_give_exact_shares():
    weighted = Choice(["a", "b", "c"], weights=[1, 2, 5])
    assert shares(weighted, 800) == {"a": 100, "b": 200, "c": 500}
    assert shares(Choice(["a", "b", "c"]), 600) == {"a": 200, "b": 200, "c": 200}


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=20))
def test_the_share_of_each_weight_is_rounded_once(weights):
    scaled = [weight / max(weights) for weight in weights]
    edges = [math.fsum(scaled[:i]) / math.fsum(scaled) for i in range(len(scaled))] + [1.0]
    middles = [(low + high) / 2 for low, high in pairwise(edges)]
    choice = Choice(list(range(len(weights))), weights=weights)
    assert [choice.to_unit(value) for value in choice.values] == middles


def test_of_many_values_a_hundred_are_shown():
    assert Choice([3, 1, 2]).support() == "3, 1, 2"
    shown = Choice(list(range(20_000))).support()
    assert shown.endswith(", 98, 99 and 19900 more")
    assert shown.count(",") == 99


def test_what_no_choice_can_hold_is_none_of_its_values():
    choice = Choice([1, "a"])
    assert not any(choice.contains(value) for value in ([1], True, None, 2))


def test_huge_weights_do_not_overflow():
    assert shares(Choice(["a", "b"], weights=[1e308, 1e308]), 100) == {"a": 50, "b": 50}


def test_one_and_true_are_kept_apart():
    dimension = Choice([1, True, 0, False])
    values = [dimension.from_unit(unit) for unit in (0.1, 0.3, 0.6, 0.9)]
    assert [type(value) for value in values] == [int, bool, int, bool]
    assert [dimension.to_unit(value) for value in values] == [0.125, 0.375, 0.625, 0.875]
    assert not Fixed(1).contains(True)
    assert not Integer(0, 2).contains(True)
    assert not Uniform(0, 2).contains(True)
    assert not Choice([1, 2]).contains(True)


@pytest.mark.parametrize(
    ("dimension", "reference"),
    [
        (Uniform(-1, 3), stats.uniform(-1, 4)),
        (LogUniform(1e-5, 0.1), stats.loguniform(1e-5, 0.1)),
        (Normal(2, 0.5), stats.norm(2, 0.5)),
        (LogNormal(0.01, 3), stats.lognorm(s=math.log(3), scale=0.01)),
        (TruncatedNormal(0, 1, -1, 2), stats.truncnorm(-1, 2)),
        (TruncatedNormal(0, 1, 5, 9), stats.truncnorm(5, 9)),
        (TruncatedNormal(0, 1, -9, -5), stats.truncnorm(-9, -5)),
        (TruncatedNormal(0, 1, 30, 40), stats.truncnorm(30, 40)),
        (TruncatedNormal(3, 2, 0, 1), stats.truncnorm(-1.5, -1, loc=3, scale=2)),
        (Scipy("gamma", {"a": 2, "scale": 3}), stats.gamma(2, scale=3)),
        (Scipy("poisson", {"mu": 3}), stats.poisson(3)),
        (Integer(1, 6), stats.randint(1, 7)),
        (Integer(-3, 3), stats.randint(-3, 4)),
    ],
)
def test_quantiles_are_those_of_scipy(dimension, reference):
    where = np.linspace(0.0005, 0.9995, 1000)
    found = [dimension.from_unit(unit) for unit in where]
    np.testing.assert_allclose(found, reference.ppf(where), rtol=1e-8)
    if not hasattr(reference.dist, "pmf"):
        back = [dimension.to_unit(value) for value in found]
        np.testing.assert_allclose(back, where, rtol=1e-7)


def test_the_bounds_given_are_the_ends_exactly():
    for low, high in [(1e-4, 0.1), (3e-7, 0.3), (0.007, 13)]:
        dimension = LogUniform(low, high)
        assert (dimension.from_unit(0.0), dimension.from_unit(1.0)) == (low, high)
        assert dimension.contains(low)
        assert dimension.contains(high)
        assert dimension.grid(5)[0] == low


def test_values_outside_are_not_contained_and_count_as_the_ends():
    assert not Uniform(0, 1).contains(1.0000001)
    assert not Uniform(0, 1).contains("0.5")
    assert not Integer(0, 10, step=5).contains(3)
    assert not Integer(0, 10).contains(3.0)
    for dimension in (Uniform(1, 2), LogUniform(1, 2), TruncatedNormal(1.5, 1, 1, 2)):
        assert (dimension.to_unit(-5), dimension.to_unit(5)) == (0.0, 1.0)
    assert Integer(1, 4, log=True).to_unit(-5) == Integer(1, 4, log=True).to_unit(1)
    assert LogNormal(1, 2).to_unit(0) == 0.0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400, None, "1"])
def test_what_is_no_finite_number_is_contained_nowhere(value):
    for dimension in (
        Uniform(-1, 1),
        LogUniform(1, 2),
        Normal(0, 1),
        LogNormal(1, 2),
        TruncatedNormal(0, 1, -1, 1),
        Scipy("norm"),
        Integer(-5, 5),
        Fixed(3),
    ):
        assert not dimension.contains(value)


def test_the_tails_of_an_unbounded_dimension_are_contained():
    assert Normal(0, 1).contains(50)
    assert Normal(0, 1).to_unit(50) == 1.0
    assert LogNormal(1, 2).contains(1e9)
    assert not LogNormal(1, 2).contains(0)


def test_scipy_ends_are_included_only_where_they_are_finite():
    assert Scipy("uniform", {"loc": 2, "scale": 3}).grid(2) == [2.0, 5.0]
    arcsine = Scipy("arcsine")  # its density is infinite at both ends
    assert not arcsine.bounded
    assert arcsine.grid(2) == pytest.approx([stats.arcsine.ppf(0.25), stats.arcsine.ppf(0.75)])
    assert not Scipy("expon").bounded
    assert Scipy("randint", {"low": 1, "high": 5}).levels == (1, 2, 3, 4)


def spell(given):
    """The one-line message that a bad dimension is refused with."""
    with pytest.raises(ValidationError) as caught:
        ANY_DIMENSION.validate_python(given)
    errors = caught.value.errors()
    assert len(errors) == 1
    return str(errors[0]["ctx"]["error"])


BAD = [
    ("uniform", {"low": 2, "high": 1}, "uniform needs low < high, got low=2, high=1; swap them"),
    (
        "uniform",
        {"low": 2, "high": 2},
        "uniform needs low < high, got low=2, high=2; give a single value to fix it",
    ),
    (
        "uniform",
        {"low": -1.7e308, "high": 1.7e308},
        "uniform needs a range below 1.8e308, got low=-1.7e+308, high=1.7e+308; narrow it",
    ),
    (
        "uniform",
        {"low": 0, "high": math.inf},
        "must be a finite number, got inf; give one below 1e308",
    ),
    (
        "uniform",
        {"low": 0, "high": 10**400},
        f"must be a finite number, got 1{'0' * 39}; give one below 1e308",
    ),
    (
        "log-uniform",
        {"low": 0, "high": 1},
        "a log scale needs low > 0, got low=0; raise low or use uniform",
    ),
    (
        "log-uniform",
        {"low": 1, "high": 0.1},
        "log-uniform needs low < high, got low=1, high=0.1; swap them",
    ),
    (
        "log-uniform",
        {"low": 1e300, "high": math.nextafter(1e300, math.inf)},
        "log-uniform needs low and high whose logarithms differ, got low=1e+300, "
        "high=1.0000000000000002e+300; widen the range or use uniform",
    ),
    (
        "normal",
        {"mean": 1e308, "std": 1e308},
        "normal needs numbers that floats can hold and tell apart, got mean=1e+308, std=1e+308; "
        "bring them closer together",
    ),
    (
        "log-normal",
        {"median": 1, "factor": 1e100},
        "log-normal needs numbers that floats can hold and tell apart, got median=1, "
        "factor=1e+100; choose a factor such as 2",
    ),
    (
        "truncated-normal",
        {"mean": 0, "std": 1, "low": 1, "high": 0},
        "truncated-normal needs low < high, got low=1, high=0; swap them",
    ),
    (
        "truncated-normal",
        {"mean": 0, "std": 1, "low": 40, "high": 50},
        "truncated-normal needs a range within 37 std of its mean, got mean=0, std=1, low=40, "
        "high=50; raise std or use uniform",
    ),
    (
        "truncated-normal",
        {"mean": 0, "std": 1e30, "low": 1, "high": 2},
        "truncated-normal needs a range that is wide beside its std, got mean=0, std=1e+30, "
        "low=1, high=2; lower std or use uniform",
    ),
    (
        "integer",
        {"low": 0, "high": 8, "log": True},
        "a log scale needs low > 0, got low=0; raise low or drop log",
    ),
    (
        "integer",
        {"low": 1, "high": 8, "log": True, "step": 7},
        "a log scale takes no step, got step=7; list the values as a choice",
    ),
    (
        "integer",
        {"low": 1, "high": 6, "step": 2},
        "integer must reach high in whole steps, got low=1, high=6, step=2; set high to 5 or 7",
    ),
    (
        "integer",
        {"low": 3, "high": 3},
        "integer needs low < high, got low=3, high=3; give a single value to fix it",
    ),
    (
        "integer",
        {"low": 0, "high": 2**60},
        "integer needs bounds of at most 2**53 in size, got low=0, high=1152921504606846976; "
        "narrow the range",
    ),
    ("choice", {"values": [1, 2, 1.0]}, "a choice needs distinct values, got 1.0 twice; drop one"),
    ("choice", {"values": [1, math.nan]}, "a choice needs finite numbers, got nan; drop it"),
    (
        "choice",
        {"values": [1, 2], "weights": [1]},
        "a choice needs one weight per value, got 1 weights for 2 values; add or drop weights",
    ),
    (
        "choice",
        {"values": ["a", "b", "c"], "weights": [1, 1e-17, 1]},
        "a choice needs weights of comparable size, got [1, 1e-17, 1]; "
        "drop the values that are all but impossible",
    ),
    ("fixed", {"value": math.inf}, "must be a finite number, got inf; give another"),
    (
        "scipy",
        {"name": "betta"},
        "name must be a distribution of scipy.stats, got 'betta'; "
        "see its reference for the names, for example beta, gamma, poisson",
    ),
    (
        "scipy",
        {"name": "beta", "args": {"a": 1}},
        "scipy.stats.beta takes args a, b, loc, scale, got a=1; add b",
    ),
    (
        "scipy",
        {"name": "norm", "args": {"std": 1}},
        "scipy.stats.norm takes args loc, scale, got std=1; drop std",
    ),
    (
        "scipy",
        {"name": "beta", "args": {"a": -1, "b": 1}},
        "scipy.stats.beta needs args inside its domain, got {'a': -1, 'b': 1}; see its reference",
    ),
    (
        "scipy",
        {"name": "poisson", "args": {"mu": 3, "loc": 0.5}},
        "scipy.stats.poisson is discrete and needs a whole loc, got loc=0.5; round it",
    ),
    (
        "scipy",
        {"name": "zipf", "args": {"a": 2}},
        "scipy.stats.zipf must be of finite variance to be searched, got {'a': 2}; "
        "give it lighter tails",
    ),
]


@pytest.mark.parametrize(("distribution", "arguments", "message"), BAD)
def test_bad_arguments_are_refused_in_one_line(distribution, arguments, message):
    assert spell({"distribution": distribution, **arguments}) == message


@pytest.mark.parametrize(
    "given",
    [
        {"distribution": "uniform", "low": True, "high": 2},
        {"distribution": "uniform", "low": "0", "high": 2},
        {"distribution": "integer", "low": 1.0, "high": 2},
        {"distribution": "normal", "mean": 0, "std": 0},
        {"distribution": "log-normal", "median": 1, "factor": 1},
        {"distribution": "choice", "values": []},
        {"distribution": "choice", "values": [1, 2], "weights": [1, 0]},
        {"distribution": "uniform", "low": 0, "high": 1, "log": True},
        {"low": 0, "high": 1},
        None,
    ],
)
def test_wrong_types_and_unknown_keys_are_refused(given):
    with pytest.raises(ValidationError):
        ANY_DIMENSION.validate_python(given)


def test_a_choice_refuses_a_value_that_is_none_of_its():
    with pytest.raises(ValueError, match=r"^must be one of a, b, got 'c'; correct it$"):
        Choice(["a", "b"]).to_unit("c")


def test_bare_values_are_fixed_and_bare_lists_are_choices():
    space = Space({"epochs": 5, "optimizer": ["sgd", "adam"], "lr": Uniform(0, 1)})
    assert space["epochs"] == Fixed(5)
    assert space["optimizer"] == Choice(["sgd", "adam"])


CHAIN = Space(
    {
        "nesterov": Choice([True, False], when={"momentum": [0.5, 0.9]}),
        "momentum": Choice([0.0, 0.5, 0.9], when={"optimizer": "sgd"}),
        "optimizer": Choice(["sgd", "adam"]),
        "lr": LogUniform(1e-4, 0.1),
    }
)


@given(st.fixed_dictionaries(dict.fromkeys(CHAIN.names(), units)))
def test_inactive_dimensions_are_absent_along_a_whole_chain(where):
    params = CHAIN.from_units(where)
    assert ("momentum" in params) == (params["optimizer"] == "sgd")
    assert ("nesterov" in params) == (params.get("momentum", 0.0) > 0)
    assert list(params) == [name for name in CHAIN.names() if name in params]
    assert CHAIN.contains(params)
    units = {name: CHAIN[name].to_unit(value) for name, value in params.items()}
    again = CHAIN.from_units({**where, **units})
    assert again == {**params, "lr": pytest.approx(params["lr"])}


def test_a_condition_on_one_is_not_met_by_true():
    space = Space({"flag": Choice([1, True]), "x": Uniform(0, 1, when={"flag": True})})
    assert not space.is_active("x", {"flag": 1})
    assert space.is_active("x", {"flag": True})


def test_a_configuration_with_a_hyperparameter_too_many_or_too_few_is_not_contained():
    assert CHAIN.contains({"optimizer": "adam", "lr": 0.01})
    assert not CHAIN.contains({"optimizer": "adam", "lr": 0.01, "momentum": 0.5})
    assert not CHAIN.contains({"optimizer": "sgd", "lr": 0.01})
    assert not CHAIN.contains({"optimizer": "adam", "lr": 0.2})
    assert not CHAIN.contains({"optimizer": "adam", "lr": 0.01, "depth": 3})


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (
            {"x": Uniform(0, 1, when={"optimiser": "sgd"}), "optimizer": ["sgd"]},
            "x: when must name another dimension, got 'optimiser'; the space has: x, optimizer",
        ),
        (
            {"x": Uniform(0, 1, when={"optimizer": ["sgd", "adm"]}), "optimizer": ["sgd", "adam"]},
            "x: when needs values that 'optimizer' can take, got ['sgd', 'adm']; "
            "it takes sgd, adam",
        ),
        (
            {"x": Uniform(0, 1, when={"optimizer": []}), "optimizer": ["sgd", "adam"]},
            "x: when needs values that 'optimizer' can take, got []; it takes sgd, adam",
        ),
        (
            {"x": Uniform(0, 1, when={"n": 7}), "n": Integer(0, 6, step=2)},
            "x: when needs values that 'n' can take, got 7; it takes 0 to 6 step 2",
        ),
        (
            {"a": Choice([1], when={"b": 1}), "b": Choice([1], when={"a": 1})},
            "conditions must not run in a circle, got a -> b -> a; drop one `when`",
        ),
        (
            {"a": Choice([1], when={"a": 1})},
            "conditions must not run in a circle, got a -> a; drop one `when`",
        ),
        (
            {"learning rate": 1},
            "a hyperparameter's name must be at most 100 letters, digits, '_', '-' and '.', not "
            "beginning with '.', got 'learning rate'; rename it",
        ),
    ],
)
def test_conditions_that_make_no_sense_are_refused_in_one_line(space, message):
    with pytest.raises(ValidationError) as caught:
        Space(space)
    assert str(caught.value.errors()[0]["ctx"]["error"]) == message


def test_the_same_generator_state_draws_the_same_configuration():
    draws = [CHAIN.sample(np.random.default_rng([3, k])) for k in range(50)]
    assert draws == [CHAIN.sample(np.random.default_rng([3, k])) for k in range(50)]
    assert len({json.dumps(draw) for draw in draws}) > 40


def test_a_draw_uses_one_number_per_dimension_whether_it_is_active_or_not():
    rng, counting = np.random.default_rng(0), np.random.default_rng(0)
    for _ in range(20):
        CHAIN.sample(rng)
        counting.random(len(CHAIN))
    assert rng.random() == counting.random()


@given(st.dictionaries(st.from_regex(r"\A[a-z_]{1,5}\Z"), dimensions, max_size=5))
@settings(max_examples=30)
def test_a_space_survives_json(dimensions):
    space = Space(dimensions)
    assert Space.model_validate_json(space.model_dump_json()) == space
    assert Space.model_validate_json(space.model_dump_json()).names() == list(dimensions)


def test_describing_a_study_imports_nothing_heavy():
    code = (
        "import sys, nettuner.models.study, nettuner.models.space as s\n"
        "s.TruncatedNormal(0, 1, 2, 3).from_unit(0.5)\n"
        "print([name for name in ('scipy', 'pandas', 'torch', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
