"""Every training and validation row is validated on once; test rows stay what they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettuner.models.data.fold import Fold
from nettuner.models.data.load import load
from nettuner.models.data.sources.builtin import Builtin
from nettuner.models.data.sources.csv import Csv
from nettuner.models.data.sources.numbers import Numbers
from nettuner.models.data.split import split


def folds_of(rows, count, division=0, **more):
    return [Fold(division * count + k, count).of(rows, 3, **more) for k in range(count)]


@given(
    sizes=st.lists(st.integers(3, 40), min_size=1, max_size=5),
    count=st.integers(2, 7),
    seed=st.integers(0, 2**32),
)
def test_each_row_is_in_one_fold_and_each_class_in_equal_shares(sizes, count, seed):
    classes = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    rows = split(len(classes), 0.2, 0.2, seed, classes)
    pool = np.union1d(rows.train, rows.validation)
    if len(pool) < count:
        return
    folds = folds_of(rows, count, classes=classes)
    validated = np.concatenate([fold.validation for fold in folds])
    assert sorted(validated.tolist()) == pool.tolist()
    shares = np.array(
        [np.bincount(classes[fold.validation], minlength=len(sizes)) for fold in folds]
    )
    assert np.ptp(shares, axis=0).max() <= 1
    assert np.ptp(shares.sum(1)) <= 1
    for fold in folds:
        assert fold.test.tolist() == rows.test.tolist()
        assert np.union1d(fold.train, fold.validation).tolist() == pool.tolist()
        assert not set(fold.train) & set(fold.validation)
        assert set(classes[fold.train]) == set(range(len(sizes)))


def test_the_next_division_is_another_one():
    rows = split(50, 0.2, 0.2, 0)
    first, again, other = (
        [fold.validation.tolist() for fold in folds_of(rows, 4, division)] for division in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_a_group_is_in_one_fold():
    # Groups of 6, 5, 4, 3 and 2 rows: the largest first, each to the fold with fewest rows.
    groups = np.repeat(np.arange(5), [6, 5, 4, 3, 2])
    rows = split(20, 0.2, 0.0, 0)
    folds = folds_of(rows, 2, groups=groups)
    held = [set(groups[fold.validation].tolist()) for fold in folds]
    # 6; 5; 4 to the second, now 9; 3 to the first, now 9; 2 to the first of equals.
    assert held == [{0, 3, 4}, {1, 2}]


def test_more_folds_than_rows_or_groups_are_one_line():
    rows = split(4, 0.3, 0.0, 0)
    with pytest.raises(ValueError, match="got 4 for 5 folds; give fewer folds"):
        Fold(0, 5).of(rows, 0)
    with pytest.raises(ValueError, match=r"groups of training .*, got 2 for 3 folds"):
        Fold(0, 3).of(rows, 0, groups=np.array([0, 0, 1, 1]))


@pytest.mark.parametrize(
    "source", [Builtin(name="digits"), Builtin(name="diabetes"), Numbers(rows=200)]
)
def test_a_fold_of_a_dataset_has_the_same_test_rows(source):
    whole = load(source)
    folds = [load(source.at_fold(Fold(k, 3))) for k in range(3)]
    pool = len(whole.train) + len(whole.validation)
    assert sum(len(fold.validation) for fold in folds) == pool
    for fold in folds:
        assert len(fold.train) + len(fold.validation) == pool
        assert fold.raw_test.truth == whole.raw_test.truth
        assert fold.fingerprint == whole.fingerprint
    assert load(source.at_fold(Fold(1, 3))) is folds[1]
    assert load(source) is whole


def test_the_preprocessing_of_a_fold_is_fitted_to_its_own_training_rows(tmp_path):
    path = tmp_path / "table.csv"
    lines = [f"{k},{k % 3},{'ab'[k % 2]}" for k in range(30)]
    path.write_text("\n".join(["number,other,target", *lines]))
    source = Csv(path=str(path), target="target")
    means = set()
    for k in range(3):
        fold = load(source.at_fold(Fold(k, 3)))
        trained = fold.raw_train.rows["number"].to_numpy()
        column = fold.preprocessing.inputs.columns[0]
        assert column.mean == pytest.approx(trained.mean())
        means.add(column.mean)
    assert len(means) == 3


def test_rows_that_are_published_or_divided_by_time_have_no_folds():
    given = {"path": "a.csv", "target": "t"}
    assert Csv(**given).why_no_folds is None
    assert "validation" in Csv(**given, validation_path="b.csv").why_no_folds
    assert "split_by_time" in Csv(**given, split_by_time="date").why_no_folds
