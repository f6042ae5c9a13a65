import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nettuner.models.data.split import split

SHARES = st.floats(0.05, 0.45)


@given(
    sizes=st.lists(st.integers(3, 60), min_size=2, max_size=6),
    validation=SHARES,
    test=SHARES,
    seed=st.integers(0, 2**32),
)
def test_every_row_is_in_one_split_and_every_class_in_all_three(sizes, validation, test, seed):
    classes = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    rows = split(len(classes), validation, test, seed, classes)
    together = np.concatenate([rows.train, rows.validation, rows.test])
    assert sorted(together.tolist()) == list(range(len(classes)))
    for part in (rows.train, rows.validation, rows.test):
        assert set(classes[part]) == set(range(len(sizes)))


@given(
    sizes=st.lists(st.integers(20, 60), min_size=2, max_size=6),
    validation=SHARES,
    test=SHARES,
    seed=st.integers(0, 2**32),
)
def test_with_enough_rows_each_class_gets_its_share_and_the_total_is_exact(
    sizes, validation, test, seed
):
    classes = np.repeat(np.arange(len(sizes)), sizes)
    rows = split(len(classes), validation, test, seed, classes)
    for part, share in ((rows.validation, validation), (rows.test, test)):
        assert len(part) == round(share * len(classes))
        assert np.all(np.abs(np.bincount(classes[part]) - share * np.array(sizes)) < 1)


@given(count=st.integers(20, 300), validation=SHARES, test=SHARES, seed=st.integers(0, 2**32))
def test_without_classes_the_sizes_are_the_rounded_shares(count, validation, test, seed):
    rows = split(count, validation, test, seed)
    assert (len(rows.validation), len(rows.test)) == (
        round(validation * count),
        round(test * count),
    )
    together = np.concatenate([rows.train, rows.validation, rows.test])
    assert sorted(together.tolist()) == list(range(count))


def test_the_seed_alone_decides_which_rows_go_where():
    first, again, other = (split(100, 0.2, 0.2, seed).test.tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_three_rows_of_a_class_go_one_to_each_split():
    rows = split(6, 0.2, 0.2, 0, np.array([0, 0, 0, 1, 1, 1]))
    assert [len(part) for part in (rows.train, rows.validation, rows.test)] == [2, 2, 2]


def test_no_test_share_leaves_the_test_empty():
    rows = split(10, 0.2, 0.0, 0, np.array([0] * 5 + [1] * 5))
    assert (len(rows.train), len(rows.validation), len(rows.test)) == (8, 2, 0)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_an_empty_split_is_an_error(count):
    with pytest.raises(ValueError, match=f"every split needs a row.* from {count} rows"):
        split(count, 0.2, 0.2, 0)
