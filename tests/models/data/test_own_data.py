"""Data of one's own: what is understood, held in memory, read when needed, and refused."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import TypeAdapter
from ruamel.yaml import YAML
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

from nettuner.models.data.answer import understood
from nettuner.models.data.dataset import Split
from nettuner.models.data.fold import Fold
from nettuner.models.data.load import load
from nettuner.models.data.own_data import Told, own_dataset
from nettuner.models.data.sources import AnySource
from nettuner.models.data.sources.own import Own
from nettuner.models.data.streams import IterableStream, LoaderStream, RowStream

INPUTS = np.arange(60, dtype=np.float64).reshape(30, 2)
CLASSES = np.arange(30) % 3


def dataset(answer, target=None, task=None, **shares):
    source = Own(function="own.py:make", **shares)
    told = Told(".:make", {"file": "0" * 16}, target, task)
    return own_dataset(understood(answer, "own.py:make"), source, told)


def fault(answer, **more):
    with pytest.raises(ValueError, match="; ") as raised:
        dataset(answer, **more)
    text = str(raised.value)
    assert "\n" not in text
    return text


class Samples(Dataset):
    """A list of samples, as a map-style Dataset."""

    def __init__(self, samples):
        self.samples = samples

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, row):
        return self.samples[row]


class Noisy(Samples):
    """Adds noise to its inputs at every reading."""

    def __getitem__(self, row):
        inputs, target = self.samples[row]
        return inputs + torch.randn(inputs.shape), target


def tensors(count=10):
    return [(torch.full((2,), float(row)), row % 2) for row in range(count)]


def few(count=10):
    return TensorDataset(torch.zeros(count, 2), torch.arange(count) % 2)


SETS = [
    lambda: (INPUTS, CLASSES),
    lambda: (torch.from_numpy(INPUTS), torch.from_numpy(CLASSES)),
    lambda: {"inputs": INPUTS, "label": CLASSES},
    lambda: TensorDataset(torch.from_numpy(INPUTS), torch.from_numpy(CLASSES)),
    lambda: list(zip(INPUTS, CLASSES, strict=True)),
]


@pytest.mark.parametrize("make", SETS)
def test_one_set_is_split_in_the_shares_of_the_source(make):
    found = dataset(make(), validation=0.2, test=0.1)
    assert [len(part) for part in (found.train, found.validation, found.test)] == [21, 6, 3]
    assert (found.task, found.shape, found.outputs) == ("classification", (2,), 3)
    assert found.train.inputs.dtype == np.float32
    # Rows 0, 3, 6 ... are of class 0, and their first number is twice their place.
    assert (found.train.inputs[:, 0] / 2 % 3 == found.train.targets).all()


SPLITS = [
    lambda: (few(6), few(4), few(2)),
    lambda: {"train": few(6), "validation": few(4), "test": few(2)},
    lambda: {"training": few(6), "val": few(4), "test": few(2), "classes": 2},
    lambda: SimpleNamespace(train=few(6), validation=few(4), test=few(2)),
    lambda: tuple((np.zeros((n, 2)), np.arange(n) % 2) for n in (6, 4, 2)),
]


@pytest.mark.parametrize("make", SPLITS)
def test_splits_are_a_tuple_a_mapping_or_an_object(make):
    found = dataset(make())
    assert [len(part) for part in (found.train, found.validation, found.test)] == [6, 4, 2]


def test_without_test_data_there_is_no_test():
    assert dataset((few(6), few(4))).test is None


def test_a_dataset_that_reads_the_same_twice_is_held_and_one_that_does_not_is_read():
    held, read = dataset((Samples(tensors()), few())), dataset((Noisy(tensors()), few()))
    assert isinstance(held.train, Split)
    assert isinstance(read.train, RowStream)
    assert held.held
    assert not read.held


def test_a_dataset_that_is_too_large_is_read(monkeypatch):
    monkeypatch.setattr("nettuner.models.data.whole.HELD_BYTES", 10 * (8 + 8) - 1)
    assert isinstance(dataset((Samples(tensors()), few())).train, RowStream)


def test_a_loader_and_an_iterable_are_read():
    class Endless(IterableDataset):
        def __iter__(self):
            while True:
                yield torch.zeros(2), 1

    loader = DataLoader(few(10), batch_size=4)
    found = dataset({"train": Endless(), "validation": loader, "epoch": 20, "classes": 2})
    assert isinstance(found.train, IterableStream)
    assert isinstance(found.validation, LoaderStream)
    assert (found.train.rows_of_an_epoch(), found.validation.batches_of_an_epoch()) == (20, 3)
    assert found.facts["training"] == "20 rows of an IterableDataset"


TARGETS = [
    (torch.tensor([0, 1]), "classification", 2, ()),
    (torch.tensor([[0, 1], [1, 2]]), "classification", 3, (2,)),  # a class at each position
    (torch.tensor([0.5, 1.5]), "regression", 1, ()),
    (torch.tensor([[0.5, 1.5, 2.0], [1.0, 0.0, 1.0]]), "regression", 3, (3,)),
    (torch.tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]]), "labels", 3, (3,)),
    (torch.tensor([[False, True], [True, True]]), "labels", 2, (2,)),
    (torch.tensor([1 + 2j, 3j]), "own", 1, ()),
]


@pytest.mark.parametrize(("targets", "task", "outputs", "shape"), TARGETS)
def test_targets_say_what_is_learned(targets, task, outputs, shape):
    part = TensorDataset(torch.zeros(2, 5), targets)
    found = dataset((part, part))
    assert (found.task, found.outputs, found.target_shape) == (task, outputs, shape)


def test_samples_without_a_target_are_their_own_target():
    found = dataset((torch.eye(4), torch.eye(4)), task="own")  # inputs and a target of four numbers
    assert found.task == "own"
    lone = dataset((TensorDataset(torch.eye(4)), TensorDataset(torch.eye(4))))
    assert lone.task == "own"
    assert lone.train.targets is not None
    assert (lone.train.targets == lone.train.inputs).all()


def test_several_inputs_are_a_tuple_or_a_mapping():
    triple = TensorDataset(torch.zeros(4, 2), torch.zeros(4, 3), torch.tensor([0, 1, 0, 1]))
    names = Samples([{"a": torch.zeros(2), "b": row, "label": row % 2} for row in range(4)])
    places, named = dataset((triple, triple)), dataset((names, names))
    assert [part.shape for part in places.train.inputs] == [(4, 2), (4, 3)]
    assert {name: part.shape for name, part in named.train.inputs.items()} == {
        "a": (4, 2),
        "b": (4,),
    }
    assert named.outputs == 2


def test_texts_are_classes_in_the_order_of_the_alphabet():
    found = dataset((np.zeros((6, 1)), np.array(["b", "a"] * 3)), validation=0.3, test=0.3)
    assert found.classes == ("a", "b")
    assert sorted(found.train.targets) == [0, 1]


def test_a_table_becomes_what_a_file_would():
    table = pd.DataFrame({"x": range(40), "colour": ["red", "blue"] * 20, "y": [0.5, 1.5] * 20})
    found = dataset(table, target="y")
    assert found.shape == (3,)  # a number, and two colours
    assert found.preprocessing is not None
    assert found.raw_test is not None
    apart = dataset((table[:20], table[20:30], table[30:]))  # the last column is the target
    assert [len(part) for part in (apart.train, apart.validation, apart.test)] == [20, 10, 10]
    frames = table[["x", "colour"]], table["y"]
    assert dataset(frames).fingerprint == found.fingerprint


def test_classes_are_those_that_are_told_or_those_of_the_dataset():
    part = few()
    assert dataset({"train": part, "validation": part, "classes": 5}).outputs == 5
    part.classes = ["cat", "dog", "eel"]
    found = dataset((part, part))
    assert (found.outputs, found.classes) == (3, ("cat", "dog", "eel"))


def test_equal_content_has_an_equal_fingerprint_and_one_that_is_told_decides_alone():
    assert dataset((few(), few())).fingerprint == dataset((few(), few())).fingerprint
    assert dataset((few(), few())).fingerprint != dataset((few(), few(9))).fingerprint
    told = [dataset({"data": few(n), "fingerprint": "v1"}).fingerprint for n in (10, 20)]
    assert told[0] == told[1]


class Breaks(Samples):
    def __getitem__(self, row):
        if row == 17:
            raise OSError("image 17.png is truncated")
        return super().__getitem__(row)


def test_the_row_that_cannot_be_read_is_named():
    text = fault((Breaks(tensors(30)), few()))
    assert text.startswith("every row of the training data must be readable, got OSError: image 17")
    assert "in row 17;" in text


def test_the_row_of_the_original_is_named_where_a_subset_of_it_is_read():
    assert "in row 17;" in fault((Subset(Breaks(tensors(30)), [20, 17, 3]), few()))


def test_samples_of_unequal_shapes_need_a_collate_fn():
    samples = [(torch.zeros(length), 0.5) for length in (3, 3, 5)]
    assert fault((Samples(samples), few())) == (
        "samples must have one shape to become a batch, got [3] and [5] in rows 0 and 2 of the "
        "training data; pad them in a collate_fn, or in the Dataset"
    )

    def padded(samples):
        inputs, targets = zip(*samples, strict=True)
        return torch.nn.utils.rnn.pad_sequence(inputs, batch_first=True), torch.tensor(targets)

    found = dataset({"train": Samples(samples), "validation": few(), "collate_fn": padded})
    assert isinstance(found.train, RowStream)
    assert found.shape == (5,)
    assert "[3] and [5]" in fault((DataLoader(Samples(samples), batch_size=3), few()))


def test_what_is_unequal_in_samples_is_named_whatever_it_is():
    named = [{"x": torch.zeros(n), "y": 0, "label": 0} for n in (3, 3, 5)]
    assert "got [3] and [5] in rows 0 and 2" in fault((Samples(named), few()), target="label")
    targets = [(torch.zeros(2), torch.zeros(n)) for n in (3, 3, 5)]
    assert "got [3] and [5] in rows 0 and 2" in fault((Samples(targets), few()))
    lacking = [{"x": 0.5, "y": 0}, {"y": 0}]
    assert "every row of the training data must be readable, got KeyError" in fault(
        (Samples(lacking), few())
    )


FAULTS = [
    (lambda: None, "must return data, got NoneType"),
    (lambda: 3, "got int"),
    (lambda: (few(), few(), few(), few()), "got tuple of 4"),
    (lambda: {"train": few(), "validaton": few()}, "'validaton'; did you mean 'validation'?"),
    (lambda: (few(0), few()), "none in the training data"),
    (lambda: (few(), few(0)), "none in the validation data"),
    (lambda: (np.zeros((3, 1)), np.zeros(4)), "must have the same rows, got [3, 4]"),
    (lambda: {"train": few(), "validation": few(), "classes": 1}, "classes from 0 to 0, got 1"),
    (
        lambda: (TensorDataset(torch.zeros(3, 2), torch.tensor([0, 1, -1])), few()),
        "got -1 in row 2 of the training data",
    ),
    (lambda: DataLoader(few()), "return validation data beside it"),
    (lambda: (Samples([("a", 1)] * 3), few()), "inputs must be numbers"),
    (lambda: {"train": few(), "validation": few(), "task": "magic"}, "task must be one of"),
    (lambda: {"train": {}, "validation": few()}, "samples must have inputs, got nothing"),
    (lambda: {"train": {"y": np.zeros(4)}, "validation": few()}, "have inputs, got only 'y'"),
    (lambda: (Samples([()] * 3), few()), "samples must have inputs, got nothing"),
    (lambda: {"data": few(), "epoch": "many"}, "epoch must be a whole number from 1, got 'many'"),
    (lambda: {"data": few(), "epoch": 0}, "epoch must be a whole number from 1, got 0"),
    (lambda: {"data": few(), "num_workers": "two"}, "num_workers must be a whole number from 0"),
    (lambda: {"data": few(), "num_workers": -1}, "num_workers must be a whole number from 0"),
    (
        lambda: ((np.zeros((2, 1)), np.zeros(2)), (np.zeros((2, 1)), np.array(["a", "b"]))),
        "targets must be numbers here, got 'a' in the validation data",
    ),
    (
        lambda: {"data": (np.zeros((9, 1)), np.array(["a"] * 9)), "task": "regression"},
        "targets must be numbers here, got 'a' in the training data",
    ),
    (
        lambda: {"data": (INPUTS, CLASSES + 0.5), "task": "classification"},
        "targets must be classes, which are whole numbers, got 0.5",
    ),
]


@pytest.mark.parametrize(("make", "told"), FAULTS)
def test_what_is_no_data_is_refused_in_a_line(make, told):
    assert told in fault(make())


def test_an_iterable_without_a_length_is_refused():
    class Endless(IterableDataset):
        def __iter__(self):
            while True:
                yield torch.zeros(2), 0.5

    assert "must say how long an epoch is" in fault((Endless(), few()))


FILE = dedent(
    """
    from pathlib import Path

    import numpy as np


    def make(rows: int, root: Path = None, seed=0, split_seed=None):
        assert root is None or root.is_dir(), root
        return np.full((rows, 2), seed if split_seed is None else split_seed), np.arange(rows) % 2


    def broken():
        raise OSError("the disk is away")


    def nothing():
        pass
    """
)


@pytest.fixture
def own(tmp_path):
    (tmp_path / "own.py").write_text(FILE)

    def source(function="make", **more):
        function = f"{tmp_path / 'own.py'}:{function}"
        return Own.model_validate(Own.referred({"source": function, **more}))

    return source


def test_keys_beside_the_source_are_arguments_of_the_function(own):
    assert len(load(own(rows=10)).train) == 6
    assert load(own(rows=10, seed=3)).train.inputs.max() == 3


def test_keys_of_nettuner_reach_a_function_that_takes_them(own):
    assert load(own(rows=10, split_seed=4)).train.inputs.max() == 4


def test_texts_become_paths_below_the_studys_folder_where_the_function_takes_a_path(own, tmp_path):
    (tmp_path / "images").mkdir()
    assert len(load(own(rows=10, root="images").below(tmp_path)).train) == 6


ANNOTATED = dedent(
    """
    from __future__ import annotations

    import functools
    from typing import TYPE_CHECKING

    import numpy as np

    if TYPE_CHECKING:
        from pathlib import Path

        from no_such_module import Tensor


    def make(rows: int, root: Path | None = None) -> tuple[Tensor, Tensor]:
        assert root is None or root.is_dir(), root
        return np.zeros((rows, 2)), np.arange(rows) % 2


    ten = functools.partial(make, rows=10)


    class Maker:
        def __call__(self, root: Path | None = None) -> tuple[Tensor, Tensor]:
            return make(10, root)


    maker = Maker()
    """
)


@pytest.mark.parametrize("name", ["ten", "maker"])
def test_whatever_can_be_called_is_a_function_also_with_types_for_checkers_alone(tmp_path, name):
    (tmp_path / "typed.py").write_text(ANNOTATED)
    (tmp_path / "images").mkdir()
    source = Own(function=f"{tmp_path / 'typed.py'}:{name}", arguments={"root": "images"})
    found = load(source.below(tmp_path))
    assert len(found.train) == 6
    assert len(found.facts["file"]) == 16


BAD = [
    ({}, "own.py:make must be given 'rows', got none; add it beside source"),
    ({"rows": 10, "sed": 1}, "own.py:make takes no 'sed'; did you mean 'seed'? it takes: rows,"),
    ({"function": "broken"}, "own.py:broken must return data, got OSError: the disk is away;"),
    ({"function": "nothing"}, "own.py:nothing must return data, got NoneType;"),
    ({"function": "mak"}, "has no 'mak'; it defines: make, broken, nothing"),
]


@pytest.mark.parametrize(("given", "told"), BAD)
def test_a_function_that_cannot_be_called_is_refused_in_a_line(own, given, told):
    with pytest.raises(ValueError, match=":") as raised:
        load(own(**given))
    assert told in str(raised.value)


def test_what_is_recorded_names_the_file_the_arguments_and_the_sizes(own):
    facts = load(own(rows=10)).facts
    assert facts["function"] == "own.py:make"
    assert facts["arguments"] == '{"rows": 10}'
    assert facts["training"] == "6 rows in memory"
    assert len(facts["file"]) == 16


def test_a_file_that_has_changed_is_read_again(own, tmp_path):
    before = load(own(rows=10)).train.inputs.max()
    (tmp_path / "own.py").write_text(FILE.replace("seed=0", "seed=77"))
    assert (before, load(own(rows=10)).train.inputs.max()) == (0, 77)


def snippets(language):
    text = (Path(__file__).parents[3] / "docs/own_data.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


# What becomes of the training rows of each example of the docs, and how many validate.
SHOWN = [(LoaderStream, 100), (Split, 20), (RowStream, 12)]


def test_the_examples_of_the_docs_are_all_here():
    assert len(snippets("python")) == len(SHOWN)


@pytest.mark.parametrize(("place", "kind", "rows"), [(i, *s) for i, s in enumerate(SHOWN)])
def test_the_examples_of_the_docs_are_data(tmp_path, place, kind, rows):
    (tmp_path / "own_data.py").write_text(snippets("python")[place])
    found = load(Own(function=f"{tmp_path / 'own_data.py'}:make"))
    assert isinstance(found.train, kind)
    assert len(found.validation) == rows
    assert (found.task, found.outputs) == ("classification", 2)


def test_the_studies_of_the_docs_name_functions():
    given = [YAML(typ="safe", pure=True).load(text)["data"] for text in snippets("yaml")]
    found = [TypeAdapter(AnySource).validate_python(data) for data in given]
    assert [source.function for source in found] == ["own_data.py:make"] * 2
    assert found[1].arguments == {"root": "images", "size": 64}


def of_fold(answer, number, **more):
    source = Own(function="own.py:make", validation=0.25, test=0.2).at_fold(Fold(number, 3))
    return own_dataset(understood(answer, "make"), source, Told(".:make", {}, **more))


def test_folds_divide_one_set_and_each_row_validates_once():
    found = [of_fold((INPUTS, CLASSES), number) for number in range(3)]
    judged = np.concatenate([one.validation.inputs[:, 0] for one in found])
    assert len(judged) == 24  # all but a fifth of 30, which are for the test
    assert len(set(judged.tolist())) == 24
    assert all((one.test.inputs == found[0].test.inputs).all() for one in found)
    table = pd.DataFrame({"x": range(40), "y": [0.5, 1.5] * 20})
    tables = [of_fold(table, number, target="y").validation.inputs for number in (0, 1)]
    assert not set(tables[0][:, 0]) & set(tables[1][:, 0])


def test_folds_and_validation_data_of_their_own_exclude_each_other():
    with pytest.raises(ValueError, match="got validation data beside the training data; return"):
        of_fold((few(), few()), 0)
