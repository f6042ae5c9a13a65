"""Batches out of memory and from loaders: the same rows, exact continuation, exact lengths."""

from __future__ import annotations

import os
import random
import signal

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from nettuner.models.data.answer import understood
from nettuner.models.data.own_data import Told, own_dataset
from nettuner.models.data.sources.own import Own
from nettuner.models.learner import Supervised
from nettuner.models.study import Length
from nettuner.models.training.batches import batches_of
from nettuner.models.training.loop import facts, fit, prepared
from nettuner.models.training.process_state import process_state
from nettuner.models.training.seeding import READING, Generators, derived_seed

pytestmark = pytest.mark.usefixtures("one_thread")

ROWS = 22
SEED = (5, 3)
THREE = Length(3)


class Net(Supervised):
    """A layer, and dropout, which draws from the generators of training."""

    def build(self):
        return nn.Sequential(nn.Linear(2, self.data.outputs), nn.Dropout(0.2))


def everything():
    """A number from each of the global generators."""
    return float(torch.rand(())), np.random.rand(), random.random()  # noqa: NPY002


class Rows(Dataset):
    """Row k holds k, and, where it is noisy, what the three global generators give."""

    def __init__(self, rows=ROWS, noise=False):
        self.rows, self.noise = rows, noise

    def __len__(self):
        return self.rows

    def __getitem__(self, row):
        drawn = sum(everything()) if self.noise else 0.0
        return torch.tensor([row / self.rows, float(drawn)]), row % 2


class Endless(IterableDataset):
    def __iter__(self):
        while True:
            yield torch.rand(2), int(torch.rand(()) < 0.5)


def dataset(train, validation=None, **more):
    answer = {"train": train, "validation": validation or Rows(6), "classes": 2, **more}
    return own_dataset(understood(answer, "make"), Own(function="a.py:make"), Told(".:make", {}))


def collated(samples):
    return torch.utils.data.default_collate(samples)


def trained(data, path, length=THREE, params=None, **more):
    learner = prepared(Net, data)
    params = {"batch_size": 5, "learning_rate": 0.1, **(params or {})}
    found = list(fit(learner, data, params, length, seed=SEED, end=path, **more))
    return found, load_file(path)


def same(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[key], right[key]) for key in left)


def test_a_dataset_that_is_read_trains_as_it_would_in_memory(tmp_path):
    held = trained(dataset(Rows()), tmp_path / "a")
    read = trained(dataset(Rows(), collate_fn=collated), tmp_path / "b")
    assert same(held[1], read[1])
    assert held[0] == read[0]


MAKERS = {
    "rows": lambda: Rows(noise=True),
    "loader": lambda: DataLoader(Rows(noise=True), batch_size=5, shuffle=True),
    "generator": lambda: DataLoader(
        Rows(noise=True), batch_size=5, shuffle=True, generator=torch.Generator()
    ),
    "iterable": lambda: DataLoader(Endless(), batch_size=5),
    "endless": lambda: Endless(),
}
# Five rounds of an epoch each, and of three steps, which end in the middle of epochs.
LENGTHS = [Length(5), Length(5, steps_per_round=3, steps=14)]


@pytest.mark.parametrize("length", LENGTHS, ids=["epochs", "steps"])
@pytest.mark.parametrize("make", MAKERS.values(), ids=list(MAKERS))
def test_a_training_that_goes_on_equals_one_that_was_never_interrupted(tmp_path, make, length):
    whole = trained(dataset(make(), epoch=22), tmp_path / "whole", length)
    first = trained(dataset(make(), epoch=22), tmp_path / "first", length, until=2)
    everything()  # another process is at another place
    rest = trained(dataset(make(), epoch=22), tmp_path / "rest", length, start=tmp_path / "first")
    assert first[0] + rest[0] == whole[0]
    assert same(rest[1], whole[1])


def test_another_seed_gives_other_batches():
    data = dataset(DataLoader(Rows(), batch_size=5, shuffle=True))
    one, other = (
        torch.cat([x[:, 0] for x, _ in batches_of(data.train, 1, (seed, 0)).of(np.arange(5))])
        for seed in (0, 1)
    )
    assert sorted(one.tolist()) == sorted(other.tolist())  # each row once
    # Two of 22! orders are alike about never.
    assert one.tolist() != other.tolist()


def test_what_is_read_has_seeds_of_its_own():
    reading = {Generators(*SEED, READING, epoch).seed for epoch in range(9)}
    rounds = {derived_seed(*SEED, round_) for round_ in range(10)}  # 0: the initial weights
    assert len(reading | rounds) == 9 + 10


def test_what_is_drawn_while_reading_leaves_the_generators_of_training_alone():
    data = dataset(Rows(noise=True))
    with torch.random.fork_rng():
        torch.manual_seed(1)
        expected = torch.rand(3)
        torch.manual_seed(1)
        list(batches_of(data.train, 5, SEED).of(np.arange(4)))
        assert torch.equal(torch.rand(3), expected)


def test_an_epoch_has_the_batches_of_the_loader():
    data = dataset(DataLoader(Rows(), batch_size=4))
    batches = batches_of(data.train, 64, SEED)
    assert batches.per_epoch == 6
    sizes = [len(targets) for _, targets in batches.of(np.arange(12))]
    assert sizes == [4, 4, 4, 4, 4, 2] * 2


def test_an_iterable_is_cut_where_the_epoch_ends():
    batches = batches_of(dataset(Endless(), epoch=22).train, 5, SEED)
    assert batches.per_epoch == 5
    assert [len(targets) for _, targets in batches.of(np.arange(6))] == [5] * 6


def test_an_epoch_shorter_than_its_length_is_a_fault():
    class Short(IterableDataset):
        def __len__(self):
            return 30

        def __iter__(self):
            return iter([(torch.zeros(2), 0)] * 12)

    batches = batches_of(dataset(Short()).train, 5, SEED)
    with pytest.raises(ValueError, match="as many batches as its length says, 6, got 3; correct"):
        list(batches.of(np.arange(6)))


def test_a_row_that_breaks_in_training_is_named(tmp_path):
    class Breaks(Rows):
        def __getitem__(self, row):
            if row == 17:
                raise OSError("image 17.png is truncated")
            return super().__getitem__(row)

    for workers in (0, 2):
        data = dataset(DataLoader(Breaks(), batch_size=5, num_workers=workers))
        with pytest.raises(ValueError, match=r"OSError: image 17.png is truncated in row 17;"):
            trained(data, tmp_path / "state")


def test_a_class_that_does_not_exist_is_a_fault_where_it_occurs(tmp_path):
    class Late(Rows):
        def __getitem__(self, row):
            return torch.zeros(2), 2 if row == 21 else 0

    with pytest.raises(ValueError, match="classes from 0 to 1, got 2 in row 1 of batch 4 of the t"):
        trained(dataset(DataLoader(Late(), batch_size=5)), tmp_path / "state")


def children():
    listed = f"/proc/{os.getpid()}/task/{os.getpid()}/children"
    with open(listed) as file:
        return file.read().split()


@pytest.mark.parametrize("persistent", [False, True], ids=["anew", "persistent"])
def test_processes_of_a_loader_read_the_same_and_are_gone_at_the_end(tmp_path, persistent):
    def loader():
        return DataLoader(
            Rows(noise=True),
            batch_size=5,
            shuffle=True,
            num_workers=2,
            persistent_workers=persistent,
        )

    before = children()
    length = Length(3, steps_per_round=4, steps=11)
    whole = trained(dataset(loader()), tmp_path / "whole", length)
    trained(dataset(loader()), tmp_path / "first", length, until=1)
    rest = trained(dataset(loader()), tmp_path / "rest", length, start=tmp_path / "first")
    assert whole[0][1:] == rest[0]
    assert same(whole[1], rest[1])
    assert children() == before


def test_a_validation_set_that_is_read_gives_the_metrics_of_one_in_memory(tmp_path):
    metrics = []
    for validation in (Rows(), DataLoader(Rows(), batch_size=4)):
        data = dataset(Rows(), validation)
        metrics.append(trained(data, tmp_path / "state", Length(1))[0][0][1])
    assert metrics[0] == pytest.approx(metrics[1], rel=1e-5)
    assert "val_accuracy" in metrics[0]


def test_metrics_of_a_learners_own_are_means_weighted_by_rows(tmp_path):
    class Own(Net):
        metrics = {"first": "minimize"}  # noqa: RUF012

        def evaluate(self, networks, inputs, targets):
            return {"first": inputs[:, 0].mean()}

    data = dataset(Rows(), DataLoader(Rows(10), batch_size=4))  # batches of 4, 4 and 2 rows
    found = dict(fit(Own(facts(data)), data, {}, Length(1), seed=SEED))
    assert found[1]["val_first"] == pytest.approx(0.45)  # the mean of 0, 0.1 ... 0.9


def test_a_learner_that_prepares_needs_rows_in_memory():
    class Prepares(Net):
        def prepare(self, inputs, targets):
            pass

    with pytest.raises(ValueError, match="prepare needs the training rows in memory, got Prep"):
        prepared(Prepares, dataset(Rows(noise=True)))


class Pair(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.numbers, self.kinds = nn.Linear(2, outputs), nn.Embedding(3, outputs)

    def forward(self, numbers, kind):
        return self.numbers(numbers) + self.kinds(kind)


class PairNet(Supervised):
    def build(self):
        return Pair(self.data.outputs)


TARGETS = {
    "numbers": (torch.rand(12, 3), {"val_rmse", "val_r2", "val_mae"}),
    "labels": ((torch.rand(12, 4) > 0.5).float(), {"val_accuracy"}),
    "classes": (torch.arange(12) % 2, {"val_accuracy"}),
}


@pytest.mark.parametrize("named", [False, True], ids=["by-place", "by-name"])
@pytest.mark.parametrize("kind", TARGETS)
def test_several_inputs_and_targets_of_several_kinds_are_learned(tmp_path, kind, named):
    targets, reported = TARGETS[kind]
    inputs = torch.rand(12, 2), torch.arange(12) % 3
    part = (*inputs, targets)
    part = {"numbers": inputs[0], "kind": inputs[1], "y": targets} if named else part
    data = own_dataset(
        understood({"train": part, "validation": part}, "make"),
        Own(function="a.py:make"),
        Told(".:make", {}),
    )
    learner = PairNet(facts(data))
    params = {"learning_rate": 0.05}
    rounds = dict(fit(learner, data, params, Length(40), seed=SEED))
    assert reported <= rounds[1].keys()
    assert rounds[40]["train_loss"] < rounds[1]["train_loss"]


class Pixelwise(Supervised):
    def build(self):
        return nn.Conv2d(1, self.data.outputs, 1)


def test_a_class_at_each_position_is_learned_and_those_to_be_ignored_count_nowhere():
    images = torch.tensor([0.0, 1.0]).repeat(8, 1, 2, 2)  # columns of 0 and of 1
    masks = images[:, 0].long()
    masks[:, 0, 0] = -100
    part = TensorDataset(images, masks)
    data = own_dataset(
        understood((part, DataLoader(part, batch_size=3)), "make"),
        Own(function="a.py:make"),
        Told(".:make", {}),
    )
    assert (data.task, data.outputs, data.target_shape) == ("classification", 2, (2, 4))
    learner = Pixelwise(facts(data))
    rounds = dict(fit(learner, data, {"learning_rate": 0.1}, Length(60), seed=SEED))
    assert rounds[60]["val_accuracy"] == 1.0


def test_several_numbers_have_the_mean_r2_of_each():
    part = torch.zeros(4, 1), torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 0.0], [2.0, 4.0]])
    data = own_dataset(
        understood((part, part), "make"), Own(function="a.py:make"), Told(".:make", {})
    )
    found = Net(facts(data)).scores(torch.ones(4, 2), part[1])
    # Variances 1 and 3; squared errors 1 and (1 + 1 + 1 + 9) / 4 = 3; r2 is 0 of both.
    assert found["loss"] == 2
    assert found["r2"] == 0


def test_a_loader_with_processes_leaves_the_process_as_it_was(tmp_path, monkeypatch):
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # as in a process that has read none yet
    monkeypatch.setattr("torch.utils.data._utils.signal_handling._SIGCHLD_handler_set", False)
    before = process_state()
    data = dataset(DataLoader(Rows(), batch_size=5, num_workers=2))
    trained(data, tmp_path / "state", Length(2, steps_per_round=3))  # ends within an epoch
    assert process_state() == before
    assert signal.getsignal(signal.SIGCHLD) is not signal.SIG_DFL  # else this shows nothing
