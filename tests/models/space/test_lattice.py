"""The configurations of a small space as a numbered list."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettuner.models.space import Space
from nettuner.models.space.lattice import Lattice, count


def of(space: Space) -> Lattice:
    return Lattice(space, {name: dimension.levels or () for name, dimension in space.items()})


def test_a_condition_adds_up_instead_of_multiplying():
    space = Space.model_validate(
        {
            "extra": {"distribution": "choice", "values": [1, 2], "when": {"kind": "b"}},
            "kind": ["a", "b"],
        }
    )
    assert list(of(space)) == [{"kind": "a"}, {"extra": 1, "kind": "b"}, {"extra": 2, "kind": "b"}]


def test_numbers_outside_are_refused():
    lattice = of(Space.model_validate({"x": [1, 2]}))
    for index in (-1, 2):
        with pytest.raises(IndexError, match=f"0 to 1, got {index}"):
            lattice[index]


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    """Up to five choices, each of which may depend on one or two before it."""
    given_: dict[str, object] = {}
    for i in range(draw(st.integers(1, 5))):
        values = list(range(draw(st.integers(1, 3))))
        when = {}
        for parent in draw(st.sets(st.integers(0, i - 1), max_size=2)) if i else ():
            when[f"d{parent}"] = draw(st.sampled_from(given_[f"d{parent}"]["values"]))  # type: ignore[index]
        given_[f"d{i}"] = {"distribution": "choice", "values": values, "when": when or None}
    return Space.model_validate(given_)


@given(spaces())
def test_every_configuration_is_listed_once(space):
    listed = list(of(space))
    levels = {name: dimension.levels or () for name, dimension in space.items()}
    assert all(space.contains(params) for params in listed)
    assert len({tuple(params.items()) for params in listed}) == len(listed)
    assert count(space, levels, most=10_000) == len(listed) == len(of(space))
    # Middles of all combinations of shares, mapped by the space itself, give the same set.
    everything = [{}]
    for name, values in levels.items():
        units = [space[name].to_unit(value) for value in values]
        everything = [{**some, name: unit} for some in everything for unit in units]
    mapped = {tuple(space.from_units(units).items()) for units in everything}
    assert mapped == {tuple(params.items()) for params in listed}


def test_counting_stops_soon_after_it_is_too_much():
    many = list(range(10))
    given_: dict[str, object] = {"d0": many}
    for i in range(1, 40):
        given_[f"d{i}"] = {"distribution": "choice", "values": many, "when": {f"d{i - 1}": many}}
    space = Space.model_validate(given_)
    levels = {name: dimension.levels or () for name, dimension in space.items()}
    assert count(space, levels, most=1000) > 1000  # 10^40 in all
