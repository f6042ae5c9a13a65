"""The state on disk: whole or not at all, exact, and never pickle."""

from __future__ import annotations

import json
import struct

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from nettuner.models.learner import OPTIMISER
from nettuner.models.training import checkpoint, optimiser, tensor_file

NOW = {name: h.default for name, h in OPTIMISER.items()}


class Tied(nn.Module):
    """Two layers that share one weight."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.second = nn.Linear(3, 3)
        self.second.weight = self.first.weight

    def forward(self, rows):
        return self.second(self.first(rows))


def normalised():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def build(seed, kind="adam", make=normalised):
    torch.manual_seed(seed)
    networks = {"one": make(), "two": nn.Linear(3, 1)}
    return networks, {name: optimiser.build(net, kind) for name, net in networks.items()}


def step(networks, optimisers, rows):
    for name, network in networks.items():
        optimisers[name].zero_grad()
        network(rows).square().mean().backward()
        optimisers[name].step(optimiser.settings(name, NOW, 0, 1))


def states(networks):
    return [tensor for network in networks.values() for tensor in network.state_dict().values()]


def equal(left, right):
    return all(torch.equal(a, b) for a, b in zip(left, right, strict=True))


def refused(path, networks=None, optimisers=None, error=ValueError):
    if networks is None:
        networks, optimisers = build(0)
    with pytest.raises(error) as caught:
        checkpoint.load(path, networks, optimisers)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


@pytest.fixture(autouse=True)
def own_generator():
    with torch.random.fork_rng(devices=[]):
        yield


@pytest.fixture
def rows():
    return torch.randn(5, 3, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "state.safetensors"


@pytest.mark.parametrize("make", [normalised, Tied])
@pytest.mark.parametrize("kind", ["sgd", "adam", "adamw", "rmsprop"])
def test_what_was_saved_goes_on_as_if_it_had_never_stopped(path, rows, kind, make):
    networks, optimisers = build(1, kind, make)
    for _ in range(3):
        step(networks, optimisers, rows)
    checkpoint.save(path, networks, optimisers, 3)
    others, their_optimisers = build(2, kind, make)
    assert checkpoint.load(path, others, their_optimisers) == 3
    assert equal(states(networks), states(others))
    for _ in range(2):
        step(networks, optimisers, rows)
        step(others, their_optimisers, rows)
    assert equal(states(networks), states(others))


def test_buffers_are_part_of_the_state(path, rows):
    networks, optimisers = build(1)
    step(networks, optimisers, rows)
    checkpoint.save(path, networks, optimisers, 1)
    others, _ = build(2)
    checkpoint.load(path, others, {})
    assert others["one"][1].num_batches_tracked.item() == 1
    assert torch.equal(others["one"][1].running_mean, networks["one"][1].running_mean)
    assert others["one"][1].running_mean.abs().sum() > 0


def test_tied_weights_stay_tied(path):
    networks, optimisers = build(1, make=Tied)
    checkpoint.save(path, networks, optimisers, 1)
    others, their_optimisers = build(2, make=Tied)
    checkpoint.load(path, others, their_optimisers)
    assert others["one"].first.weight is others["one"].second.weight
    assert equal(states(networks), states(others))


def test_the_file_is_tensors_behind_a_json_header_and_no_pickle(path, rows):
    networks, optimisers = build(1)
    step(networks, optimisers, rows)
    checkpoint.save(path, networks, optimisers, 7)
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    assert header.pop("__metadata__") == {"rounds": "7"}
    assert header["network/one/0.weight"]["shape"] == [4, 3]
    assert header["optimiser/two/0/exp_avg"]["dtype"] == "F32"
    assert 8 + length + max(entry["data_offsets"][1] for entry in header.values()) == len(content)


def test_saving_leaves_nothing_else_behind(path):
    checkpoint.save(path, *build(1), 1)
    checkpoint.save(path, *build(1), 2)
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_is_interrupted_leaves_the_state_before_it(path, monkeypatch):
    before, optimisers = build(1)
    checkpoint.save(path, before, optimisers, 4)

    def full_disk(tensors, target, metadata):
        target.write_bytes(b"half of it")
        raise OSError("no space left on device")

    monkeypatch.setattr(tensor_file, "save_file", full_disk)
    with pytest.raises(OSError, match="no space left"):
        checkpoint.save(path, *build(2), 5)
    assert list(path.parent.iterdir()) == [path]
    networks, optimisers = build(3)
    assert checkpoint.load(path, networks, optimisers) == 4
    assert equal(states(networks), states(before))


def test_until_the_write_is_complete_there_is_no_file_of_that_name(path, monkeypatch):
    seen = []

    def watched(tensors, target, metadata):
        save_file(tensors, target, metadata)
        seen.append((path.exists(), target.suffix))

    monkeypatch.setattr(tensor_file, "save_file", watched)
    checkpoint.save(path, *build(1), 1)
    assert seen == [(False, ".partial")]
    assert path.exists()


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.999])
def test_a_truncated_file_is_an_error(path, share):
    checkpoint.save(path, *build(1), 1)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    message = refused(path)
    assert message.startswith(f"checkpoint {path} does not fit: ")
    assert message.endswith("; train anew")


def test_a_file_of_another_kind_is_an_error(path):
    path.parent.mkdir()
    path.write_text("not a checkpoint, but long enough to hold the length of a header")
    assert refused(path).startswith(f"checkpoint {path} does not fit: ")
    save_file({"weight": torch.zeros(2)}, path)
    assert refused(path) == f"checkpoint {path} does not fit: no 'rounds' in it; train anew"


def test_a_missing_file_is_an_error(path):
    assert refused(path, error=FileNotFoundError) == (
        f"no checkpoint {path}; it was deleted or belongs elsewhere"
    )


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (nn.Linear(3, 2), r'Missing key(s) in state_dict: "weight", "bias".'),
        (nn.Sequential(nn.Linear(3, 5)), "Unexpected key(s) in state_dict: "),
        (
            nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Linear(5, 2)),
            "size mismatch for 0.weight: copying a param with shape torch.Size([4, 3])",
        ),
    ],
)
def test_networks_of_another_structure_are_an_error_that_names_a_weight(path, other, reason):
    checkpoint.save(path, *build(1), 1)
    message = refused(path, {"one": other}, {})
    assert message.startswith(f"checkpoint {path} does not fit: {reason}")


def test_a_network_that_was_not_saved_is_an_error(path):
    checkpoint.save(path, *build(1), 1)
    assert "Missing key(s)" in refused(path, {"three": nn.Linear(3, 1)}, {})
