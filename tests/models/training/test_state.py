"""States of own loops: what comes back is what was kept, and what cannot be written is named."""

from __future__ import annotations

import math
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from nettuner.models.training import state, tensor_file
from nettuner.models.training.state import State, load_state


def back(tmp_path, value):
    """A value, written and read."""
    state.save(tmp_path / "s.safetensors", State(3, {"part": value}, {"part": None}))
    return state.load(tmp_path / "s.safetensors").parts["part"]


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -(2**127),
        0.1,
        5e-324,
        math.inf,
        -math.inf,
        "",
        'quotes " and \\ and \u00e9 and \ud800',
        [],
        (),
        {},
        [1, (2.0, [None, "x"]), {}],
        {"a": 1, 2: "b", "2": "c", -1: (1,)},
        {"tensor": "a", "dict": [1]},
        {"tuple": {"array": ()}},
    ],
)
def test_plain_values_come_back_as_they_were(tmp_path, value):
    found = back(tmp_path, value)
    assert found == value
    assert repr(found) == repr(value)


def test_nan_comes_back_as_nan(tmp_path):
    assert math.isnan(back(tmp_path, [math.nan])[0])


@pytest.mark.parametrize(
    "dtype",
    [
        torch.float64,
        torch.float32,
        torch.bfloat16,
        torch.float16,
        torch.int64,
        torch.uint8,
        torch.bool,
        torch.complex64,
    ],
)
@pytest.mark.parametrize("shape", [(), (0,), (3, 2)])
def test_tensors_come_back_to_the_bit(tmp_path, dtype, shape):
    value = (torch.randn(shape, dtype=torch.float64) * 3).to(dtype)
    found = back(tmp_path, {"x": value})["x"]
    assert found.dtype == dtype
    assert torch.equal(found, value)


@pytest.mark.parametrize("array", [np.arange(6.0).reshape(2, 3).T, np.array(2**63, np.uint64)])
def test_arrays_come_back_as_arrays(tmp_path, array):
    found = back(tmp_path, [array])[0]
    assert type(found) is np.ndarray
    assert found.dtype == array.dtype
    assert np.array_equal(found, array)


def test_numbers_of_numpy_become_plain_ones(tmp_path):
    found = back(tmp_path, [np.float32(0.5), np.int64(3), np.bool_(True), np.float64(0.1)])
    assert [(type(value), value) for value in found] == [
        (float, 0.5),
        (int, 3),
        (bool, True),
        (float, 0.1),
    ]


def test_tied_weights_and_views_are_written_apart(tmp_path):
    weight = torch.arange(6.0)
    found = back(tmp_path, {"whole": weight, "tied": weight, "part": weight[::2]})
    assert torch.equal(found["tied"], weight)
    assert found["part"].tolist() == [0.0, 2.0, 4.0]


def test_names_that_meet_do_not_overwrite_each_other(tmp_path):
    found = back(tmp_path, {"a/b": torch.zeros(1), "a": {"b": torch.ones(1)}})
    assert (found["a/b"].item(), found["a"]["b"].item()) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("value", "got"),
    [
        ({"param_groups": [{"foo": print}]}, "builtin_function_or_method"),
        ({"param_groups": [{"foo": {1, 2}}]}, "set"),
        ({"param_groups": [{"foo": 1j}]}, "complex"),
        ({"param_groups": [{"foo": np.array(["a"])}]}, "an array of <U1"),
        ({"param_groups": [{"foo": torch.eye(2).to_sparse()}]}, "a tensor that is sparse"),
        ({"param_groups": [{"foo": {(1, 2): 0}}]}, r"a key \(1, 2\) \(tuple\)"),
        ({"param_groups": [{"foo": {True: 0}}]}, r"a key True \(bool\)"),
    ],
)
def test_what_cannot_be_written_is_refused_by_its_name_and_leaves_no_file(tmp_path, value, got):
    kept = State(1, {"optimiser": value}, {})
    match = rf"^optimiser/param_groups/0/foo of a state must be a number.*got {got}"
    with pytest.raises(TypeError, match=match) as caught:
        state.save(tmp_path / "s.safetensors", kept)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_nothing_in_a_state_is_ever_unpickled(tmp_path, monkeypatch):
    net = nn.BatchNorm1d(2)
    optimiser = torch.optim.Adam(net.parameters())
    net(torch.randn(4, 2)).sum().backward()
    optimiser.step()

    def refuse(*_):
        raise AssertionError

    for name in ("load", "loads", "dumps", "dump", "Unpickler", "Pickler"):
        monkeypatch.setattr(pickle, name, refuse)
    kept = {"net": net.state_dict(), "optimiser": optimiser.state_dict()}
    state.save(tmp_path / "s.safetensors", State(1, kept, {}))
    found = load_state(str(tmp_path / "s.safetensors"))
    net.load_state_dict(found["net"])
    optimiser.load_state_dict(found["optimiser"])
    assert list(found) == ["net", "optimiser"]
    assert found["optimiser"]["param_groups"][0]["betas"] == (0.9, 0.999)


def test_a_write_that_is_cut_off_leaves_the_state_before(tmp_path, monkeypatch):
    path = tmp_path / "s.safetensors"
    state.save(path, State(1, {"x": torch.zeros(2)}, {}))

    def half(tensors, file, metadata):
        file.write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(tensor_file, "save_file", half)
    with pytest.raises(OSError, match="no space"):
        state.save(path, State(2, {"x": torch.ones(2)}, {}))
    assert (state.load(path).rounds, [p.name for p in tmp_path.iterdir()]) == (1, [path.name])


def test_other_files_are_told_from_states(tmp_path):
    path = tmp_path / "s.safetensors"
    with pytest.raises(FileNotFoundError, match="it was deleted or belongs elsewhere"):
        load_state(path)
    path.write_bytes(b"not a state")
    with pytest.raises(ValueError, match="must be a state, got a damaged file"):
        load_state(path)
    save_file({"w": torch.zeros(1)}, path, metadata={"rounds": "1"})
    with pytest.raises(ValueError, match="must be the state of an own loop, got another file"):
        load_state(path)


def test_an_ordered_dict_is_written_as_a_dict(tmp_path):
    assert back(tmp_path, OrderedDict(b=1, a=2)) == {"b": 1, "a": 2}
