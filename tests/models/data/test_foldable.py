"""Which data can be divided into folds: those that are divided here."""

from __future__ import annotations

import sys
from textwrap import dedent

import pytest

from nettuner.models.data.fold import Fold
from nettuner.models.data.foldable import check_foldable
from nettuner.models.data.load import load
from nettuner.models.data.sources.builtin import Builtin
from nettuner.models.data.sources.csv import Csv
from nettuner.models.data.sources.own import Own

OWN = dedent(
    """
    import numpy as np
    import pandas as pd
    import torch
    from torch.utils.data import DataLoader, Dataset, TensorDataset, random_split

    INPUTS, TARGETS = torch.arange(60.0).reshape(30, 2), torch.arange(30) % 3


    class Changing(Dataset):
        def __len__(self):
            return 30

        def __getitem__(self, row):
            return INPUTS[row] + torch.randn(2), int(TARGETS[row])


    def arrays():
        return INPUTS.numpy(), TARGETS.numpy()


    def changing():
        return Changing()


    def frame():
        return pd.DataFrame({"a": np.arange(30.0), "t": np.arange(30) % 3})


    def divided():
        return random_split(TensorDataset(INPUTS, TARGETS), [20, 10])


    def divided_and_changing():
        return random_split(Changing(), [20, 10])


    def loaders():
        return DataLoader(Changing(), 5), DataLoader(Changing(), 5)
    """
)


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Data of a function in a file."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    file = tmp_path / "own.py"
    file.write_text(OWN)
    return lambda name: Own(function=f"{file}:{name}")


@pytest.mark.parametrize("name", ["arrays", "changing", "frame"])
def test_one_set_of_ones_own_has_folds(own, name):
    source = own(name)
    check_foldable(source, 3)
    folds = [load(source.at_fold(Fold(number, 3))) for number in range(3)]
    # A fifth of 30 rows is for the test; each other row is in one fold.
    assert [len(fold.test) for fold in folds] == [6, 6, 6]
    assert [len(fold.validation) for fold in folds] == [8, 8, 8]


@pytest.mark.parametrize("name", ["divided", "divided_and_changing", "loaders"])
def test_sets_that_come_divided_have_none(own, name):
    with pytest.raises(ValueError, match="folds are of one set that nettuner splits"):
        check_foldable(own(name), 3)


def test_what_comes_with_nettuner_has_folds():
    check_foldable(Builtin(name="iris"), 5)


def test_rows_that_are_not_free_are_one_line():
    with pytest.raises(ValueError, match="got 5 folds, but split_by_time trains on the oldest"):
        check_foldable(Csv(path="a.csv", target="t", split_by_time="date"), 5)
