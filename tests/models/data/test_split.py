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


# Large shares: what they leave has a bound, so that no split (of a class) is without a row.

LARGE = [
    # sizes of the classes, validation, test: rows of each class to train, validate and test
    # All of one class: 10 and 9 of 20 leave one; 5 and 4.5, which rounds to the even 4, of 10.
    ([20], 0.5, 0.45, ([1], [10], [9])),
    ([20], 0.45, 0.5, ([1], [9], [10])),
    ([10], 0.5, 0.45, ([1], [5], [4])),
    ([100], 0.5, 0.45, ([5], [50], [45])),
    ([20, 20], 0.5, 0.45, ([1, 1], [10, 10], [9, 9])),
    # 18 to test: 1.35 and 16.65 of the classes, the larger fraction is rounded up. 20 to
    # validate: 1.5 and 18.5, but the class of three has only one left that it may give.
    ([3, 37], 0.5, 0.45, ([1, 1], [1, 19], [1, 17])),
    # 6 to test: 1.5 and 4.5, equal fractions; the first class would be rounded up, but its other
    # two rows are for training and validation.
    ([3, 9], 0.45, 0.5, ([1, 1], [1, 3], [1, 5])),
    # Without a test it keeps one row for training alone: 1.5 and 4.5 again, 6 in all.
    ([3, 9], 0.5, 0.0, ([1, 5], [2, 4], [0, 0])),
    ([3, 3, 3], 0.5, 0.45, ([1, 1, 1], [1, 1, 1], [1, 1, 1])),
    # 18 of 20 is nine of each class, but one of ten is for testing and one for training.
    ([10, 10], 0.9, 0.05, ([1, 1], [8, 8], [1, 1])),
    ([10, 10], 0.05, 0.9, ([1, 1], [1, 1], [8, 8])),
    ([5, 5], 0.9, 0.0, ([1, 1], [4, 4], [0, 0])),
    # 20.25 rows to test, 20: five of the small classes, so 15 of the large one, two more than the
    # 13 of its 13.5. To validate, one of each small class, and a fifth of the large one.
    (
        [3, 3, 3, 3, 3, 30],
        0.2,
        0.45,
        ([1, 1, 1, 1, 1, 9], [1, 1, 1, 1, 1, 6], [1, 1, 1, 1, 1, 15]),
    ),
]


@pytest.mark.parametrize(("sizes", "validation", "test", "expected"), LARGE)
def test_large_shares_leave_every_class_a_row_in_each_split(sizes, validation, test, expected):
    classes = np.repeat(np.arange(len(sizes)), sizes)
    rows = split(len(classes), validation, test, 0, classes)
    for part, counts in zip((rows.train, rows.validation, rows.test), expected, strict=True):
        assert np.bincount(classes[part], minlength=len(sizes)).tolist() == counts


@pytest.mark.parametrize(("sizes", "validation", "test", "expected"), LARGE[:4])
def test_without_classes_large_shares_leave_a_row_in_each_split(sizes, validation, test, expected):
    rows = split(sizes[0], validation, test, 0)
    assert [[len(part)] for part in (rows.train, rows.validation, rows.test)] == list(expected)


@given(
    sizes=st.lists(st.integers(3, 60), min_size=1, max_size=6),
    validation=st.floats(0.01, 0.98),
    rest=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**32),
)
def test_whatever_the_shares_no_split_is_without_a_row_of_a_class(sizes, validation, rest, seed):
    classes = np.repeat(np.arange(len(sizes)), sizes)
    rows = split(len(classes), validation, rest * (1 - validation), seed, classes)
    for part in (rows.train, rows.validation, rows.test):
        assert set(classes[part]) == set(range(len(sizes)))


def test_no_validation_share_leaves_the_validation_empty():
    rows = split(10, 0.0, 0.2, 0, np.array([0] * 5 + [1] * 5))
    assert (len(rows.train), len(rows.validation), len(rows.test)) == (8, 0, 2)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_an_empty_split_is_an_error(count):
    with pytest.raises(ValueError, match=f"every split needs a row.* from {count} rows"):
        split(count, 0.2, 0.2, 0)
