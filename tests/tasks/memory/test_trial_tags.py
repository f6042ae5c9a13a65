"""A trial survives the way into tags and back."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nettuner.models.curve import Point
from nettuner.models.study import Proposal, Trial
from nettuner.tasks.memory.tags import PARAMS, TRIAL
from nettuner.tasks.memory.trial_tags import (
    LONGEST_TAG,
    Final,
    finals_from_tags,
    finals_to_tags,
    from_tags,
    to_tags,
)

numbers = st.floats(allow_nan=False, allow_infinity=False)
values = st.one_of(st.booleans(), st.integers(-(2**53), 2**53), numbers, st.text(max_size=20))
proposals = st.builds(
    Proposal,
    number=st.integers(0, 10**6),
    params=st.dictionaries(st.text(min_size=1, max_size=10), values, max_size=5),
    parent=st.none() | st.integers(0, 99),
    member=st.none() | st.integers(0, 99),
    until=st.none() | st.integers(1, 99),
)
trials = st.builds(
    Trial,
    proposals,
    score=st.none() | numbers,
    reason=st.none() | st.text(min_size=1, max_size=500),
    seconds=numbers,
    metrics=st.dictionaries(st.text(min_size=1, max_size=10), numbers, max_size=3),
    rounds=st.integers(0, 99),
    checkpoint=st.none() | st.just("/folder/trial-3.safetensors"),
    ended=numbers,
    scores=st.lists(numbers, min_size=2, max_size=4).map(tuple) | st.just(()),
    training=st.none() | st.integers(0, 9),
    stopped=st.none() | st.text(min_size=1, max_size=50),
    device=st.none() | st.just("cuda:1 NVIDIA H200"),
    peak_mib=st.none() | numbers,
    utilisation=st.none() | numbers,
    curve=st.lists(st.builds(Point, st.integers(0, 99), numbers, numbers), max_size=4).map(tuple),
)


@given(trials)
@settings(max_examples=100, deadline=None)
def test_a_trial_is_read_back_as_it_was(trial):
    assert list(from_tags(to_tags(trial))) == [trial]


def test_a_trial_that_uses_nothing_that_came_later_is_recorded_as_before():
    tags = to_tags(Trial(Proposal(0, {}), 0.5))
    later = {"scores", "training", "curve", "stopped", "device", "peak_mib", "utilisation"}
    assert later.isdisjoint(json.loads(tags[f"{TRIAL}0"]))


def test_finals_are_read_back_in_their_order():
    first = Trial(Proposal(7, {}), 0.5, metrics={"loss": 0.5}, scores=(0.25, 0.75))
    second = Trial(Proposal(2, {}), 0.75, metrics={"loss": 0.75})
    assert finals_from_tags(finals_to_tags([first, second])) == [
        Final(7, (0.25, 0.75), {"loss": 0.5}),
        Final(2, (0.75,), {"loss": 0.75}),
    ]
    assert finals_from_tags({}) == []


def test_true_is_not_read_back_as_one():
    (found,) = from_tags(to_tags(Trial(Proposal(0, {"a": True, "b": 1, "c": 1.0}), 0.5)))
    assert [type(value) for value in found.proposal.params.values()] == [bool, int, float]


def test_a_short_trial_is_two_tags():
    tags = to_tags(Trial(Proposal(7, {"x": 0.5}), 0.25))
    assert sorted(tags) == [f"{PARAMS}7", f"{TRIAL}7"]
    assert json.loads(tags[f"{PARAMS}7"]) == {"x": 0.5}
    assert json.loads(tags[f"{TRIAL}7"])["score"] == 0.25


def test_long_hyperparameters_are_split_and_joined():
    trial = Trial(Proposal(1, {"word": "x" * (2 * LONGEST_TAG)}), 1.0)
    tags = to_tags(trial)
    # {"word": "xx...x"}: twelve characters beside the 16,000, so a third tag has the rest.
    assert [len(tags[f"{PARAMS}1{part}"]) for part in ("", ".1", ".2")] == [8000, 8000, 12]
    assert list(from_tags(tags)) == [trial]


def test_more_than_ten_parts_are_joined_in_the_order_of_their_numbers():
    # No two parts are alike, and as a text ".10" would come before ".2".
    text = "".join(f"{k:05}" for k in range(17_000))
    tags = to_tags(trial := Trial(Proposal(1, {"word": text}), 1.0))
    assert f"{PARAMS}1.10" in tags
    assert f"{PARAMS}1.11" not in tags  # 85,012 characters
    assert list(from_tags({name: tags[name] for name in sorted(tags)})) == [trial]


def test_many_metrics_are_split_and_joined_as_well():
    trial = Trial(Proposal(1, {}), 1.0, metrics={f"number {k}": k / 7 for k in range(1000)})
    tags = to_tags(trial)
    assert f"{TRIAL}1.1" in tags
    assert list(from_tags(tags)) == [trial]


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_what_is_not_finite_is_read_back(value):
    (found,) = from_tags(to_tags(Trial(Proposal(0, {}), value, metrics={"loss": value})))
    assert repr(found.score) == repr(found.metrics["loss"]) == repr(value)


def test_a_reason_is_cut_at_500_characters():
    (found,) = from_tags(to_tags(Trial(Proposal(0, {}), reason="y" * 501)))
    assert found.reason == "y" * 500
    assert not found.succeeded


def test_the_segments_of_a_member_are_all_read_from_one_run():
    segments = [
        Trial(Proposal(number, {"x": 0.1}, parent, 0, until), number / 8)
        for number, parent, until in ((0, None, 1), (4, 0, 2), (8, 4, 3))
    ]
    tags = {"nettuner.kind": "member", "mlflow.note.content": "a note"}
    for segment in segments:
        tags |= to_tags(segment)
    assert sorted(from_tags(tags), key=lambda trial: trial.number) == segments


@pytest.mark.parametrize("name", [f"{TRIAL}", f"{TRIAL}x", f"{TRIAL}1.1", "nettuner.trial.1", "1"])
def test_other_tags_are_no_trials(name):
    assert list(from_tags({name: "{}"})) == []
